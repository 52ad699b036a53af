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

/* Is there a segment to write to? If not a message must be answered 452 4.3.1. */
bool spool_writer_has_room(const struct spool_writer *w);

/* A number for a new message, never given before; 0 without a segment. */
uint64_t spool_writer_next_message(struct spool_writer *w);

/*
 * Commits a message of up to MESSAGE_INLINE_MAX octets (envelope and content are copied).
 * done is called once, never before this returns.
 */
void spool_writer_commit(struct spool_writer *w, uint64_t message, int64_t received_ms,
    struct span envelope, struct span content, spool_done_fn *done, void *arg);

/* Messages handed over and not yet answered. */
unsigned spool_writer_pending(const struct spool_writer *w);

/* Seals every segment in hand (on_sealed with SPOOL_SEAL_STOP), once nothing is pending. */
void spool_writer_stop(struct spool_writer *w);

/*
 * A large message: its own file, written as content arrives. fd (taken), generation and
 * instance come from the queue manager. Content is written to the file by append at once; commit
 * completes the record and flushes on the commit thread. abort closes it at any time before commit.
 */
struct spool_large;

struct spool_large *spool_large_new(struct spool_writer *w, int fd, uint64_t message,
    uint64_t generation, uint64_t instance, int64_t received_ms, struct span envelope);

/* 0, or -1 with errno: the message can only be aborted then. */
int spool_large_append(struct spool_large *l, struct span content);
void spool_large_commit(struct spool_large **l, spool_done_fn *done, void *arg);
void spool_large_abort(struct spool_large **l);

#endif
