/*
 * spool_large: a large message on its way to disk: its own file, written as
 * content arrives. Used by smtpd. The record's header is written last and
 * everything flushed on the writer's commit thread; without the header the file
 * holds nothing (doc/SPOOL.md).
 */
#ifndef QUEUE_SPOOL_LARGE_H
#define QUEUE_SPOOL_LARGE_H

#include "queue/spool_writer.h"

struct spool_large;

/* fd (taken), generation and instance come from the queue manager. envelope is written at once. Never NULL. */
struct spool_large *spool_large_new(struct spool_writer *w, int fd, uint64_t message,
    uint64_t generation, uint64_t instance, int64_t received_ms, struct span envelope);

/* Writes content at once. 0, or -1 with errno: the message can only be aborted then. */
int spool_large_append(struct spool_large *l, struct span content);

/*
 * Replaces the envelope by this one with top behind it, which becomes the front of content. Together they are as long as the
 * envelope was. 0, or -1 with errno: the message can only be aborted then.
 */
int spool_large_amend(struct spool_large *l, struct span envelope, struct span top);

/* Completes the record and flushes; done is called once, never before this returns. Takes l. */
void spool_large_commit(struct spool_large **l, spool_done_fn *done, void *arg);

/* Closes the file, at any time before commit. */
void spool_large_abort(struct spool_large **l);

#endif
