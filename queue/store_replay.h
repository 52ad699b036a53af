/*
 * store_replay: the journal's records, formatted and applied. Between the two
 * stands only text (doc/SPOOL.md, "Journal records"); the same records make up a
 * checkpoint. Pure but for the objects it changes: no I/O.
 */
#ifndef QUEUE_STORE_REPLAY_H
#define QUEUE_STORE_REPLAY_H

#include "common/idmap.h"
#include "queue/journal.h"
#include "queue/message.h"
#include "queue/segment_pool.h"

/*
 * What a replay has rebuilt so far: messages by number. One without a
 * segment stands for a message whose segment is gone.
 */
struct replay {
	struct segment_pool *pool; /* NULL: no segment is known */
	struct atom_table *atoms;
	struct idmap messages;
	uint64_t generation;
	unsigned malformed; /* records that could not be understood */
};

/* Applies one record. arg is a struct replay. */
void replay_record(struct span record, void *arg);

/* Writes the records that stand for a message, for a segment's position, for the generation, to a checkpoint. */
void replay_checkpoint_message(struct journal *j, const struct message *m);
void replay_checkpoint_segment(struct journal *j, const struct spool_segment *s);
void replay_checkpoint_generation(struct journal *j, uint64_t generation);

/* Append to the journal; each returns the position. */
uint64_t record_message(struct journal *j, const struct message *m, uint64_t end);
uint64_t record_delivered(struct journal *j, const struct recipient *r);
uint64_t record_deferred(struct journal *j, const struct recipient *r);
uint64_t record_failed(struct journal *j, const struct recipient *r);
uint64_t record_removed(struct journal *j, const struct recipient *r);
uint64_t record_told(
    struct journal *j, const struct message *m, const uint32_t *entries, size_t n);
uint64_t record_complete(struct journal *j, const struct spool_segment *s);
uint64_t record_generation(struct journal *j, uint64_t generation);
uint64_t record_own(struct journal *j, uint64_t segment, uint64_t generation);
uint64_t record_expanded(struct journal *j, const struct recipient *r, uint32_t first);

#endif
