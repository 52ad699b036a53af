/*
 * spool_writer: group commit. Appends messages to segments that the queue
 * manager handed out (write-only descriptors) and says when they are on disk.
 * Used by smtpd for what it accepts and by the queue manager for what it writes
 * itself (bounces, survivors of old segments).
 *
 * While one flush runs on the commit thread, finished messages collect; the
 * next flush takes them all. done is called with ok only after fdatasync has
 * returned. After a failed write or flush every message of the batch hears
 * temporary, and the segment is sealed for ever: a second fdatasync may succeed
 * without the data.
 */
#ifndef QUEUE_SPOOL_WRITER_H
#define QUEUE_SPOOL_WRITER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"
#include "common/verdict.h"
#include "common/worker.h"

struct spool_writer;

/* The outcome of a commit: ok, or temporary with the reply for the client. Called from the loop. */
typedef void spool_done_fn(const struct verdict *v, void *arg);

enum spool_seal {
	SPOOL_SEAL_FULL,
	SPOOL_SEAL_FAILED,
	SPOOL_SEAL_STOP,
};

struct spool_writer_ops {
	/* Everything below offset is on disk. Called before the done functions of its messages. */
	void (*on_durable)(uint64_t segment, uint64_t generation, uint64_t offset, void *arg);
	/* Nothing will be written to it any more; its descriptor is closed. offset: the durable end. */
	void (*on_sealed)(uint64_t segment, uint64_t generation, uint64_t offset,
	    enum spool_seal why, void *arg);
};

struct spool_writer *spool_writer_new(
    struct event_base *base, const struct spool_writer_ops *ops, void *arg);

/* Waits for the flush under way; what was not committed is dropped without a call. */
void spool_writer_free(struct spool_writer **w);

/* A segment to append to from start (a multiple of SPOOL_PAGE). Takes fd. */
void spool_writer_add_segment(struct spool_writer *w, uint64_t number, uint64_t generation,
    uint64_t instance, uint64_t size, uint64_t start, int fd);

/* Calls fn for every segment in hand: what the queue manager is told after a reconnect. */
void spool_writer_each_segment(struct spool_writer *w,
    void (*fn)(uint64_t number, uint64_t generation, uint64_t offset, void *arg), void *arg);

/*
 * No segment will come in the next seconds: what waits for one is answered. Otherwise it waits for up to 5 s when all in hand
 * are full.
 */
void spool_writer_expect_none(struct spool_writer *w);

/* Is there a segment to write to, or the next awaited? If not a message must be answered 452 4.3.1. */
bool spool_writer_has_room(const struct spool_writer *w);

/* Octets of records that the last segment in hand can still take, what is under way deducted. */
uint64_t spool_writer_left(const struct spool_writer *w);

/* A number for a new message, never given before; 0 without room. */
uint64_t spool_writer_next_message(struct spool_writer *w);

/*
 * Commits a message of up to MESSAGE_INLINE_MAX octets (envelope and content are copied).
 * done is called once, never before this returns.
 */
void spool_writer_commit(struct spool_writer *w, uint64_t message, int64_t received_ms,
    struct span envelope, struct span content, spool_done_fn *done, void *arg);

/*
 * The same for a message that stands in another segment already and keeps its number: the record says that it is a
 * copy, which counts only if the journal says so (doc/SPOOL.md). For the queue manager.
 */
void spool_writer_copy(struct spool_writer *w, uint64_t message, int64_t received_ms,
    struct span envelope, struct span content, spool_done_fn *done, void *arg);

/* Messages handed over and not yet answered. */
unsigned spool_writer_pending(const struct spool_writer *w);

/* Seals every segment in hand (on_sealed with SPOOL_SEAL_STOP), once nothing is pending. */
void spool_writer_stop(struct spool_writer *w);

/*
 * A task of another module (spool_large, compactor), to be run on the commit thread in its turn. It counts as pending
 * until its done calls spool_writer_task_done.
 */
void spool_writer_task(struct spool_writer *w, struct worker_task *t);
void spool_writer_task_done(struct spool_writer *w);

#endif
