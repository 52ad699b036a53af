/*
 * store: what is durable about the queue: messages in segments, outcomes in the
 * journal, and the recovery that puts the two together after any crash
 * (doc/SPOOL.md has the table of states). The scheduler asks it to record
 * outcomes; it tells the scheduler which messages there are.
 *
 * Each outcome function changes the recipient's state and appends to the
 * journal; the record is durable within JOURNAL_FLUSH_MS. A message whose last
 * recipient is settled is freed after the present turn of the event loop.
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/verdict.h"
#include "queue/message.h"
#include "queue/segment_pool.h"

struct store;

struct store_ops {
	/* A message is in the queue: new, or rebuilt at the start. Its recipients are DUE, DEFERRED, HELD, FAILED or TELL. */
	void (*on_message)(struct message *m, bool recovered, void *arg);
	/* It is about to be freed. */
	void (*on_gone)(struct message *m, void *arg);
	/* A segment can be taken from the pool. */
	void (*on_ready)(void *arg);
	/* There is (no) room for more mail: disk or journal. */
	void (*on_space)(bool room, void *arg);
	/* Deliveries may go on again, after store_may_dispatch has said no. May be NULL. */
	void (*on_may_dispatch)(void *arg);
};

struct store_counts {
	uint64_t messages, recipients, accepted, delivered, deferred, failed, damaged;
	uint64_t moved; /* messages, from an old segment to a new one */
};

/*
 * Opens the spool below spoolfd (kept), recovers, writes a checkpoint, and calls on_message for every message.
 * NULL: said in the log.
 */
struct store *store_open(struct event_base *base, int spoolfd, uint64_t segment_size,
    const struct store_ops *ops, void *arg);

/* Flushes the journal and closes. */
void store_close(struct store **s);

/* Waits until what was recorded so far is on disk (or cannot be written): for commands whose answer is a promise. */
void store_flush(struct store *s);

/* Where in the journal the last record so far stands, and whether everything up to there is on disk: for who must not wait. */
uint64_t store_position(const struct store *s);
bool store_is_durable(const struct store *s, uint64_t position);

struct segment_pool *store_pool(struct store *s);
uint64_t store_instance(const struct store *s);
bool store_has_room(const struct store *s);

/*
 * May deliveries go on? What comes of them has to wait in memory while the journal cannot be written, and a crash then
 * makes them happen again. False if much waits already; on_may_dispatch says when that has changed.
 */
bool store_may_dispatch(struct store *s);

const struct store_counts *store_counts(const struct store *s);

/* A message by number, or NULL; all of them (as idmap_next). */
struct message *store_find(const struct store *s, uint64_t number);
struct message *store_next(const struct store *s, size_t *at);

/*
 * Takes in the records of a segment up to offset, which its writer says is durable.
 * -1 if the segment does not have what the writer claims.
 */
int store_intake(struct store *s, struct spool_segment *seg, uint64_t offset);

/* The writer of a segment is gone or done: takes in whatever is whole in it, and seals it. */
void store_intake_rest(struct store *s, struct spool_segment *seg);

/* The writer is done with a segment, and everything it made durable has been taken in. */
void store_seal(struct store *s, struct spool_segment *seg);

/* Segments whose writer is gone are looked for soon: taken in as they are, and sealed. */
void store_poll_orphans(struct store *s);

/* A large file its writer gave up: removed. */
void store_drop_large(struct store *s, struct spool_segment *seg);

/* Outcomes. The verdict becomes the recipient's reason. */
void store_deliver(struct store *s, struct recipient *r, const struct verdict *v);
/* One whose hold was wished for meanwhile is HELD then, not DEFERRED. */
void store_defer(struct store *s, struct recipient *r, const struct verdict *v, int64_t next);
void store_fail(struct store *s, struct recipient *r, const struct verdict *v);
/* Done, and its sender wants to hear of it: TELL. */
void store_succeed(struct store *s, struct recipient *r, enum recipient_action action,
    const struct verdict *v);
void store_remove(struct store *s, struct recipient *r);

/* The recipient is settled, or TELL if its sender wants to hear of it; new entries take its place, DUE, or HELD if it was to be held. Returns the first of them. */
uint32_t store_expand(
    struct store *s, struct recipient *r, const struct message_target *targets, size_t n);

/*
 * Is it on disk that the FAILED recipients of m failed, that those to TELL of are done? A report on them may be
 * written only then: else a crash could leave a report on what the journal still has to try.
 */
bool store_may_tell(const struct store *s, const struct message *m);

/* The sender of m has been told of these entries (or is not to be told): those that are FAILED or TELL are settled. */
void store_told(struct store *s, struct message *m, const uint32_t *entries, size_t n);

/* The sender of m has been told that these entries are late. */
void store_warned(struct store *s, struct message *m, const uint32_t *entries, size_t n);

/*
 * The message's content (LF line ends) into out, checked. -1 with errno: EBADMSG if it is not what was written, EFBIG
 * if out is too small, else the disk's error. What is damaged or cannot be read has been set aside in corrupt/ then, once.
 */
int store_read_content(struct store *s, struct message *m, struct buf *out);

/* Up to n octets of the beginning of the content, unchecked. -1 with errno if it cannot be read. */
int store_read_head(struct store *s, const struct message *m, size_t n, struct buf *out);

/* Where the content of a large message begins in its file. */
uint64_t store_content_offset(const struct message *m);

/* The envelope as text into out, checked; -1 with errno as above. */
int store_read_envelope(struct store *s, const struct message *m, struct buf *out);

#endif
