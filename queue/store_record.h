/*
 * store_record: the journal's records, formatted (doc/SPOOL.md, "Journal").
 * What reads them back is store_replay. A checkpoint is made of the same records.
 */
#ifndef QUEUE_STORE_RECORD_H
#define QUEUE_STORE_RECORD_H

#include "queue/journal.h"
#include "queue/message.h"
#include "queue/pauses.h"
#include "queue/spool_segment.h"

/* Flags of M. */
enum {
	RECORD_EIGHT_BIT = 1,
	RECORD_UTF8 = 2,
	RECORD_DSN = 4,
	RECORD_DELAYED = 8,  /* it is a report, of a delay */
	RECORD_HELD = 16,    /* all that RCPT named are held */
	RECORD_RELEASE = 32, /* it has a time of release, which stands behind bounce-of */
};

/* Append to the journal; each returns the position. */
uint64_t record_message(struct journal *j, const struct message *m, uint64_t end);
uint64_t record_moved(struct journal *j, const struct message *m, uint64_t end);
uint64_t record_expanded(struct journal *j, const struct recipient *r, uint32_t first);
uint64_t record_delivered(struct journal *j, const struct recipient *r);
uint64_t record_deferred(struct journal *j, const struct recipient *r);
uint64_t record_failed(struct journal *j, const struct recipient *r);
uint64_t record_succeeded(struct journal *j, const struct recipient *r);
uint64_t record_removed(struct journal *j, const struct recipient *r);
uint64_t record_held(struct journal *j, const struct recipient *r);
uint64_t record_released(struct journal *j, const struct recipient *r);
uint64_t record_early(struct journal *j, const struct recipient *r);
uint64_t record_requeued(struct journal *j, const struct recipient *r);
uint64_t record_told(
    struct journal *j, const struct message *m, const uint32_t *entries, size_t n);
uint64_t record_warned(
    struct journal *j, const struct message *m, const uint32_t *entries, size_t n);
uint64_t record_paused(struct journal *j, enum pause_kind kind, struct span name);
uint64_t record_continued(struct journal *j, enum pause_kind kind, struct span name);
uint64_t record_complete(struct journal *j, const struct spool_segment *s);
uint64_t record_own(struct journal *j, uint64_t segment, uint64_t generation);
uint64_t record_generation(struct journal *j, uint64_t generation);

/* Write to a checkpoint what stands for a message, a segment, the generation, what is paused. */
void record_checkpoint_message(struct journal *j, const struct message *m);
void record_checkpoint_segment(struct journal *j, const struct spool_segment *s);
void record_checkpoint_generation(struct journal *j, uint64_t generation);
void record_checkpoint_pauses(struct journal *j, const struct pauses *p);

#endif
