/*
 * compact_source: a sealed segment read from its beginning to its end, a window
 * at a time, on the commit thread, so that a cold disk does not stall the event
 * loop. Called by compactor alone.
 */
#ifndef QUEUE_COMPACT_SOURCE_H
#define QUEUE_COMPACT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"
#include "common/worker.h"
#include "queue/spool_segment.h"

#define COMPACT_WINDOW (1U << 20) /* octets a time, but for a record that is longer */

struct compact_source {
	struct worker_task task;
	void *owner;
	uint64_t number, generation, instance; /* whose records count */
	uint64_t at, end; /* where to go on looking for records; where they end */
	uint64_t from;	  /* where the window stands */
	size_t len, want; /* octets in it; of the next */
	size_t room;
	char *bytes;
	unsigned unreadable; /* pages that the disk did not give: zeros stand for them */
	int fd;		     /* -1: closed */
};

/* Keeps a descriptor of its own, so the segment may be given another life meanwhile. -1 with errno. */
int compact_source_open(
    struct compact_source *c, const struct spool_segment *s, uint64_t instance);

/* Forgets it; the window's memory is kept for the next until compact_source_release. */
void compact_source_close(struct compact_source *c);
void compact_source_release(struct compact_source *c);

bool compact_source_is_open(const struct compact_source *c);

/* On the commit thread: the next window. Its octets are what compact_source_next looks at. */
void compact_source_run(struct worker_task *t);

/* A record of the segment, whole but not checked beyond its header. */
struct compact_record {
	uint64_t offset;
	struct spool_record header;
	struct span envelope, content; /* valid until the next window is read */
};

/* The next record of the window; false: none, `at` says where the next window begins (end: nowhere). */
bool compact_source_next(struct compact_source *c, struct compact_record *r);

/* Do envelope and content fit their checksums? */
bool compact_record_is_intact(const struct compact_record *r);

#endif
