/*
 * compactor: empties segments that have few messages left in them, so that mail
 * that stays long ends up packed together and the disk is given back
 * (doc/SPOOL.md, "Compaction"). Messages are copied as they stand to the queue
 * manager's own segment (own_writer) and checked before and after; the store
 * makes the copy the message's place when it is on disk.
 *
 * It works in small steps, none of which keeps the event loop for long: a window
 * of the old segment is read on the commit thread, what lives in it is handed to
 * the writer, and after a pause follows the next. It takes a small part of the
 * disk's time and steps aside while the loop has much to do; but when the disk is
 * full it hurries, since it is what makes room.
 */
#ifndef QUEUE_COMPACTOR_H
#define QUEUE_COMPACTOR_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "queue/own_writer.h"
#include "queue/store.h"

struct compactor;

/* How much it may ask of the machine. */
struct compactor_pace {
	unsigned check_ms;   /* between two looks at whether there is something to do */
	unsigned quiet_ms;   /* what was sealed or falls due within this time is left alone */
	unsigned late_ms;    /* a timer later than this: the loop has other things to do */
	uint64_t per_second; /* octets read and written */
	unsigned share;	     /* at most one part in so many of the disk's time */
};

struct compactor_counts {
	uint64_t segments; /* emptied */
	uint64_t messages; /* copied */
	uint64_t octets;   /* of their records */
	uint64_t damaged;  /* messages that could not be copied */
	uint64_t sealed,
	    live;    /* at the last look: octets of sealed segments, of what lives in them */
	bool active; /* segments are being emptied */
};

/* store and own are borrowed. pace NULL: the one for real life; copied. */
struct compactor *compactor_new(struct event_base *base, struct store *store,
    struct own_writer *own, const struct compactor_pace *pace);

/* Begins nothing new. To be called before own is freed, which waits for what is under way. */
void compactor_stop(struct compactor *c);

/* After own has been freed. */
void compactor_free(struct compactor **c);

/* A segment can be had from the pool, or there is (no) room: look again soon. */
void compactor_wake(struct compactor *c);

struct compactor_counts compactor_counts(const struct compactor *c);

#endif
