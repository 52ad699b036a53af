/*
 * store_move: what the compactor asks of the store; the moving itself is the
 * store's, when a copy is durable (doc/SPOOL.md, "Compaction").
 */
#ifndef QUEUE_STORE_MOVE_H
#define QUEUE_STORE_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/store.h"

/* Is this the record of this message, wherever it stands? Its octets are not looked at. */
bool store_is_same(const struct message *m, const struct spool_record *r);

/* Can what happens now be recorded? Without V a copy is for nothing. */
bool store_is_writable(const struct store *s);

/* Messages in the queue that stand in this segment. */
uint32_t store_segment_messages(const struct store *s, const struct spool_segment *seg);

/*
 * n messages of this segment have no intact record: it is copied to corrupt/, once, and never recycled. They are
 * counted once, however often it is said.
 */
void store_report_lost(struct store *s, struct spool_segment *seg, uint32_t n);

#endif
