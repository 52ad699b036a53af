/*
 * spool_gather: how long group commit lets messages come together before the next
 * flush. Whoever was answered by the last flush is likely to send again at once: on a
 * disk that needs a millisecond for a flush it is worth a fraction of that to have them
 * all in the next one, instead of half of them in every other. Used by spool_writer alone.
 *
 * One client that sends message after message is never made to wait, and nobody longer
 * than half of what flushes take here.
 */
#ifndef QUEUE_SPOOL_GATHER_H
#define QUEUE_SPOOL_GATHER_H

#include <event2/event.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* Longest wait: on a disk whose flushes take longer than twice this, latency counts more. */
#define SPOOL_GATHER_MAX_US 5000

/* Of those who wait: as many as one flush takes. Who comes later is in the next one anyhow. */
#define SPOOL_GATHER_FULL UINT_MAX

struct spool_gather;

/*
 * over is called from the loop when the time is up; nothing is gathered any more then. NULL if there is no
 * descriptor left: nothing is ever gathered then, and the functions below take NULL for it.
 */
struct spool_gather *spool_gather_new(
    struct event_base *base, void (*over)(void *arg), void *arg);
void spool_gather_free(struct spool_gather **g);

/* A flush begins. */
void spool_gather_flush_began(struct spool_gather *g);

/*
 * It has ended, its messages are about to be answered, and so many wait already (or SPOOL_GATHER_FULL). True if the next one is
 * to be put off until spool_gather_enough says so, or over is called.
 */
bool spool_gather_flush_ended(struct spool_gather *g, unsigned answered, unsigned waiting);

/* May so many (or SPOOL_GATHER_FULL) go to disk now? Yes if nothing is gathered; a yes ends the gathering. */
bool spool_gather_enough(struct spool_gather *g, unsigned waiting);

/* Ends the gathering, if there is any, without a call of over. */
void spool_gather_stop(struct spool_gather *g);

#endif
