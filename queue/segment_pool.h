/*
 * segment_pool: all segment files of the spool and what state each is in:
 * creates them ahead of need on a worker thread, hands them to writers, takes
 * them back, and gives them a new life when nothing in them is needed any more.
 * Knows nothing of messages but how many live in each segment.
 */
#ifndef QUEUE_SEGMENT_POOL_H
#define QUEUE_SEGMENT_POOL_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "queue/spool_segment.h"

struct segment_pool;

struct segment_pool_ops {
	/* A segment is ready to be taken. */
	void (*on_ready)(void *arg);
	/* The disk can (cannot) take more. */
	void (*on_space)(bool room, void *arg);
	/*
	 * A generation is about to be given to a segment, own: for the queue manager itself. To be remembered in the
	 * journal; returns the position.
	 */
	uint64_t (*on_generation)(uint64_t number, uint64_t generation, bool own, void *arg);
};

/*
 * Opens segments/ and large/ below spoolfd and every file in them. What cannot be opened as a
 * segment of this instance is set aside in corrupt/. Every segment is SEALED or, if a
 * process still writes to it, ORPHAN. NULL with errno.
 */
struct segment_pool *segment_pool_new(struct event_base *base, int spoolfd, int corruptfd,
    uint64_t instance, uint64_t segment_size, const struct segment_pool_ops *ops, void *arg);

/*
 * A pool to look at: nothing on the disk is changed, nobody asked whether a writer lives. What cannot be opened as a segment of
 * this instance is told to on_stray, unfinished files too. It can be found, walked and freed, no more. NULL with errno.
 */
typedef void segment_pool_stray_fn(bool large, const char *name, const char *why, void *arg);
struct segment_pool *segment_pool_examine(
    int spoolfd, uint64_t instance, segment_pool_stray_fn *on_stray, void *arg);

void segment_pool_free(struct segment_pool **p);

/* The generation to go on from, learned from the journal: never goes down. */
void segment_pool_generation_at_least(struct segment_pool *p, uint64_t generation);
uint64_t segment_pool_generation(const struct segment_pool *p);

/* A segment by number, or NULL. */
struct spool_segment *segment_pool_find(struct segment_pool *p, uint64_t number, bool large);

/*
 * A segment whose file is gone and which messages of the queue stand in: SEALED, damaged, nothing can be read from it; it goes
 * with the last of them. NULL if a file of this number is there, in another life.
 */
struct spool_segment *segment_pool_add_lost(
    struct segment_pool *p, uint64_t number, uint64_t generation, bool large);

/* All of them, one after the other: NULL begins, NULL ends. */
struct spool_segment *segment_pool_next(struct segment_pool *p, struct spool_segment *s);

/* Keeps n segments READY for writers from now on. */
void segment_pool_keep_ready(struct segment_pool *p, unsigned n);

/*
 * Keeps one more READY for the queue manager itself, before all others: what makes room on a full disk needs some
 * first.
 */
void segment_pool_keep_own(struct segment_pool *p);

/*
 * A writer has none, or only the one it is filling, and none is READY: those that are made now are not filled with
 * zeros (spool_segment.h), the one under way no further, until one is in stock.
 */
void segment_pool_hurry(struct segment_pool *p);

/* Prepares no more. */
void segment_pool_stop(struct segment_pool *p);

/* Segments READY for writers. */
unsigned segment_pool_ready(const struct segment_pool *p);

/* Is the queue manager's own READY, and the journal has on disk whose it is? */
bool segment_pool_own_ready(const struct segment_pool *p);

/* Takes a READY segment for owner: OWNED, with a write descriptor in *fd. NULL if there is none now. */
struct spool_segment *segment_pool_take(struct segment_pool *p, void *owner, int *fd);

/* The same for the one kept for the queue manager: NULL unless segment_pool_own_ready. */
struct spool_segment *segment_pool_take_own(struct segment_pool *p, void *owner, int *fd);

/* A new file for a large message, OWNED, with a write descriptor. NULL with errno. Flushes the directory. */
struct spool_segment *segment_pool_create_large(
    struct segment_pool *p, uint64_t message, uint64_t size, void *owner, int *fd);

/* Nobody writes to it any more. */
void segment_pool_seal(struct segment_pool *p, struct spool_segment *s);

/* One message more, of so many octets, lives in it. */
void segment_pool_more(struct spool_segment *s, uint64_t octets);

/* One message less lives in it; position is that of the journal record that says so. */
void segment_pool_less(struct spool_segment *s, uint64_t octets, uint64_t position);

/* The journal is durable up to position: what became unneeded by then is freed. */
void segment_pool_on_durable(struct segment_pool *p, uint64_t position);

/* The directories that segment_pool_flush_removals flushes. */
void segment_pool_directories(const struct segment_pool *p, int fds[2]);

/*
 * The removal of files is on disk when this returns 0; -1 with errno. A checkpoint comes after it: one that
 * no longer knows a file must not find it again after a crash, with all its messages.
 */
int segment_pool_flush_removals(const struct segment_pool *p);

/* Opens a descriptor for reading a large file, to be passed on. -1 with errno. */
int segment_pool_read_fd(struct segment_pool *p, const struct spool_segment *s);

/* Is its writer, not heard of since our start, still alive? */
bool segment_pool_is_held(struct segment_pool *p, const struct spool_segment *s);

/* Directory descriptor in which the segment's file stands. */
int segment_pool_dirfd(const struct segment_pool *p, const struct spool_segment *s);

bool segment_pool_has_room(const struct segment_pool *p);

/* Of those made from now on, in octets. */
uint64_t segment_pool_segment_size(const struct segment_pool *p);

#endif
