/*
 * spool: what smtpd asks of the spool, as a set of functions: the seam between
 * sessions and whoever keeps messages. spool_client implements it with the
 * queue manager's segments, tests with memory.
 */
#ifndef SMTPD_SPOOL_H
#define SMTPD_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"
#include "common/verdict.h"
#include "queue/spool_writer.h"

/* A message larger than MESSAGE_INLINE_MAX on its way into a file of its own. */
struct large;

struct spool_message {
	uint64_t number;
	int64_t received_ms;  /* since 1970 */
	struct span envelope; /* copied */
};

/* The file is there (ok), or the verdict for the client. Called once, never before large_open returns. */
typedef void large_ready_fn(const struct verdict *v, void *arg);

struct spool_ops {
	/* May a message be begun? If not it is answered 452 4.3.1. */
	bool (*has_room)(void *spool);

	/* A number for a new message; 0 if there is no room. */
	uint64_t (*next_message)(void *spool);

	/*
	 * Commits a message of up to MESSAGE_INLINE_MAX octets (copied). done is called once, never
	 * before this returns: with ok only when the message is on disk.
	 */
	void (*commit)(void *spool, const struct spool_message *m, struct span content,
	    spool_done_fn *done, void *arg);

	/* Asks for a file for a large message; size is what the client declared, 0 unknown. */
	struct large *(*large_open)(void *spool, const struct spool_message *m, uint64_t size,
	    large_ready_fn *ready, void *arg);

	/* Content, after ready said ok. 0, or -1: it can only be aborted then. */
	int (*large_append)(struct large *l, struct span content);

	/*
	 * Before large_commit: another envelope, and octets in front of what was appended. Together they must be as long as
	 * the envelope of large_open was. 0, or -1: it can only be aborted then.
	 */
	int (*large_amend)(struct large *l, struct span envelope, struct span top);

	/* As commit. The large message is the spool's from now on. */
	void (*large_commit)(struct large **l, spool_done_fn *done, void *arg);

	/* Gives it up at any time before large_commit; ready is not called any more. NULL is fine. */
	void (*large_abort)(struct large **l);
};

#endif
