/*
 * snapshot: long answers about the queue, written by a forked child from its frozen
 * copy of memory, so that the queue manager's loop never waits for them. Whoever
 * reads (a client that was handed the descriptor, or a channel of our own) sees frames
 * of common/wire.h: any number of `part`, then `end`.
 *
 * A child ends by itself when its reader is gone, when the reader takes nothing for
 * `stall` seconds, or after `limit` seconds in all; its set ends it too, and so does the end of the queue
 * manager. It holds no descriptor but its own end and the log: no lock and no listener stays open in it.
 */
#ifndef QUEUE_SNAPSHOT_H
#define QUEUE_SNAPSHOT_H

#include <event2/event.h>

#include "common/wire.h"

/* The children under way. */
struct snapshot_set;

struct snapshot_limits {
	unsigned children;     /* at a time */
	unsigned stall, limit; /* seconds; at least 1 */
};

struct snapshot_set *snapshot_set_new(
    struct event_base *base, const struct snapshot_limits *limits);

/* Ends those that still run. NULL is fine. */
void snapshot_set_free(struct snapshot_set **s);

/* Within the child: where it writes. */
struct snapshot_out;

/* Runs in the child; everything that arg leads to is as it was when it was forked. */
typedef void snapshot_write_fn(struct snapshot_out *out, void *arg);

/*
 * Forks a child that calls write. Returns the descriptor to read from (a stream socket, close-on-exec), the caller's
 * from now on; -1 with errno, EAGAIN if too many are under way.
 */
int snapshot_begin(struct snapshot_set *s, snapshot_write_fn *write, void *arg);

/* How many are under way. */
unsigned snapshot_count(struct snapshot_set *s);

/* The `part` to add the next group of fields to; what one call returns leaves in one frame. */
struct wire_out *snapshot_part(struct snapshot_out *out);

/* Octets in the present part, for groups that may outgrow a frame: see SNAPSHOT_PART_FULL. */
size_t snapshot_part_size(const struct snapshot_out *out);

/* A part above this is sent before the next group begins. */
#define SNAPSHOT_PART_FULL (56U << 10)

/* The `end`, to add totals to; no part may follow. */
struct wire_out *snapshot_end(struct snapshot_out *out);

#endif
