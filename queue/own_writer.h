/*
 * own_writer: what the queue manager writes itself goes this way: reports (the
 * reporter) and copies of messages (the compactor), into segments that only the
 * queue manager writes to. One segment in hand, and one kept ready by the pool.
 *
 * Compaction makes room, and needs some first. So when the disk is full the one
 * kept ready is for copies; reports get what compaction can do without.
 */
#ifndef QUEUE_OWN_WRITER_H
#define QUEUE_OWN_WRITER_H

#include <event2/event.h>
#include <stdbool.h>

#include "queue/spool_writer.h"
#include "queue/store.h"

struct own_writer;

/* store is borrowed; the pool keeps a segment for us from now on. */
struct own_writer *own_writer_new(struct event_base *base, struct store *store);

/* Waits for the flush under way, and calls what waits for it; what was not begun is dropped without a call. */
void own_writer_free(struct own_writer **w);

/* What to write a report, a copy, of about so many octets to; NULL: there is no room now. Borrowed for this turn. */
struct spool_writer *own_writer_for_report(struct own_writer *w, uint64_t octets);
struct spool_writer *own_writer_for_copies(struct own_writer *w, uint64_t octets);

/* Octets that copies can take without the disk giving any more. */
uint64_t own_writer_room(const struct own_writer *w);

/* The disk is full, and copies are being made to change that: reports wait. */
void own_writer_set_urgent(struct own_writer *w, bool urgent);

#endif
