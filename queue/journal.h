/*
 * journal: what became of messages and recipients, as a log of small text
 * records with checksums, replaced by a checkpoint when it has outgrown the last
 * (doc/SPOOL.md). Flushed on its own thread at least every JOURNAL_FLUSH_MS
 * while dirty.
 *
 * A record becomes durable with everything appended before it. Nothing that makes a segment
 * unneeded counts before that (journal_durable).
 */
#ifndef QUEUE_JOURNAL_H
#define QUEUE_JOURNAL_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"

#define JOURNAL_FLUSH_MS   20
#define JOURNAL_FORKED_MAX 4

struct journal;

struct journal_ops {
	/* Everything up to position is on disk. */
	void (*on_durable)(uint64_t position, void *arg);
	/* Writing works (again), or does not: nothing new may be promised until it does. */
	void (*on_health)(bool healthy, void *arg);
	/*
	 * Mostly in a forked child: write everything that must be remembered with journal_checkpoint_add. It may know of
	 * records that are replayed behind it: applying a record again must change nothing.
	 */
	void (*on_checkpoint)(struct journal *j, void *arg);
	/*
	 * In that child before: puts the descriptors that on_checkpoint uses into fds and returns how many. All
	 * others are closed there. NULL: none.
	 */
	size_t (*on_forked)(int fds[JOURNAL_FORKED_MAX], void *arg);
};

/* One record of the past. In order, but for what was read of a checkpoint that turned out to be damaged: that comes first. */
typedef void journal_replay_fn(struct span record, void *arg);

/*
 * Opens the journal in directory dirfd (kept by the caller), calls replay for
 * every record of the last whole checkpoint and the logs after it, then begins a new log. Files
 * that are damaged for another reason than a cut last write are moved or copied to corruptfd with a .reason.
 * If no log can be begun now (a full disk) it is not healthy, and tries on. Never NULL.
 */
struct journal *journal_open(struct event_base *base, int dirfd, int corruptfd,
    uint64_t instance, journal_replay_fn *replay, const struct journal_ops *ops, void *arg);

/* The argument of ops from now on (replay had the one given to journal_open). */
void journal_set_arg(struct journal *j, void *arg);

/*
 * Was everything that had been written replayed? If not (a damaged or missing file), some messages and outcomes
 * are not known, and positions in segments mean nothing.
 */
bool journal_is_whole(const struct journal *j);

/* Was there nothing at all? */
bool journal_is_new(const struct journal *j);

/* Calls replay for every intact record of every file there is, in no order that counts: what was known once. Before journal_settle. */
void journal_replay_again(const struct journal *j, journal_replay_fn *replay, void *arg);

/*
 * After the state has been rebuilt: writes a checkpoint of it and removes older files; at once, or in a child as soon as
 * the loop runs if there is much. -1 if that cannot be done now: they stay.
 */
int journal_settle(struct journal *j);

/* A log grows to this many octets, if not more, before it is replaced by a checkpoint (16 MiB unless told). */
void journal_set_checkpoint_minimum(struct journal *j, uint64_t octets);

/* A state of at most so many octets is written by journal_settle at once (4 MiB unless told). */
void journal_set_at_once(struct journal *j, uint64_t octets);

/* Flushes everything and closes. */
void journal_close(struct journal **j);

/* Appends a record; returns its position. It is durable when on_durable has named this position or a later one. */
uint64_t journal_append(struct journal *j, struct span record);
uint64_t journal_appendf(struct journal *j, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* An empty buffer in which a record for journal_append or journal_checkpoint_add may be composed; until the next call. */
struct buf *journal_scratch(struct journal *j);

/* Position of the last record appended, and of the last one known to be on disk. */
uint64_t journal_position(const struct journal *j);
uint64_t journal_durable(const struct journal *j);
bool journal_healthy(const struct journal *j);

/* Octets appended and not yet on disk; at most journal_set_buffer_maximum (64 MiB unless told) and a record. */
size_t journal_backlog(const struct journal *j);
void journal_set_buffer_maximum(struct journal *j, size_t octets);

/* Waits until everything appended is on disk, or writing fails. For what an administrator waits for, and the end. */
void journal_flush_wait(struct journal *j);

/* Within on_checkpoint only. */
void journal_checkpoint_add(struct journal *j, struct span record);
void journal_checkpoint_addf(struct journal *j, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Within on_checkpoint only: it must not be used, because of errno; the logs stay. */
void journal_checkpoint_fail(struct journal *j);

#endif
