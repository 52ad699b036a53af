/*
 * retry: how old a message is, when it is tried again, when it is given up. Pure
 * arithmetic over the configuration; used by queue/outcome and queue/manager.
 *
 * Ages are measured on a clock that setting the wall clock does not move (clock_steady): neither a
 * jump of it nor one that happened before a restart makes mail expire, or live for ever.
 */
#ifndef QUEUE_RETRY_H
#define QUEUE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/config_destination.h"
#include "queue/message.h"

/*
 * When to try again after this many attempts: an interval (milliseconds, the last one repeats)
 * with up to a tenth of jitter either way, taken from random.
 */
uint64_t retry_interval(struct config_intervals intervals, unsigned attempts, uint32_t random);

/* The longest interval anything in the configuration asks for, jitter included. */
uint64_t retry_longest(const struct config *c);

/*
 * A recovered recipient, to be tried at `next` (wall clock, seconds): in how many milliseconds, when the wall
 * clock says now_wall. Never more than longest: the clock may have been wrong when next was set, or be wrong now.
 */
uint64_t retry_after_restart(int64_t next, int64_t now_wall, uint64_t longest);

/*
 * The message has come into memory; steady_ms is the steady clock, wall_ms the wall clock. A new one is as
 * old as the wall clock says it is, whatever that clock is set to later; a recovered one that
 * seems to come from the future is new now. One with a time of release (RFC 4865) is as if it came then.
 */
void retry_set_birth(struct message *m, bool recovered, int64_t steady_ms, int64_t wall_ms);

/* Its age in milliseconds. */
int64_t retry_age(const struct message *m, int64_t steady_ms);

#endif
