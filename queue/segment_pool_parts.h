/*
 * segment_pool_parts: what the files of segment_pool share and nobody else sees:
 * segment_pool.c (states, handing out), segment_prepare.c (made ahead of need),
 * segment_load.c (found at a start), segment_sweep.c (given up).
 */
#ifndef QUEUE_SEGMENT_POOL_PARTS_H
#define QUEUE_SEGMENT_POOL_PARTS_H

#include <stdatomic.h>

#include "common/idmap.h"
#include "common/worker.h"
#include "queue/segment_pool.h"

struct segment_pool {
	struct worker_task task; /* the preparation under way */
	struct worker *worker;
	const struct segment_pool_ops *ops;
	segment_pool_stray_fn *on_stray; /* only looked at: nothing is changed */
	void *arg;
	int segments_fd, large_fd, corruptfd;
	uint64_t instance, size, generation, next_number;
	TAILQ_HEAD(, spool_segment) all;
	struct idmap by_number, large_by_number;
	unsigned keep_ready, ready, nfree;
	struct event *retry, *sweeper;
	struct spool_segment
	    *sweep_at;		   /* where the sweep under way goes on, NULL: there is none */
	bool sweep_again;	   /* more became unneeded since it began */
	struct spool_segment *own; /* READY for the queue manager itself, NULL: none */
	uint64_t
	    own_at; /* journal position of the record that says so, of it or the one being prepared */
	uint64_t durable; /* journal position */
	bool keep_own, preparing, preparing_own, room;
	struct spool_segment *renewing;	    /* what is being prepared; NULL: a new file */
	struct spool_segment_header header; /* of what is being prepared */
	int error;
	atomic_bool hurry; /* no further zeros: somebody waits. The worker thread looks at it */
};

/* One more of which it knows, from then on its own. */
void segment_pool_add(struct segment_pool *p, struct spool_segment *s);

/* One less: freed. */
void segment_pool_drop(struct segment_pool *p, struct spool_segment *s);

/* Opens what the directories hold. 0, or -1 with errno. */
int segment_pool_load(struct segment_pool *p);

/* Begins with the next segment that is wanted READY, unless one is being prepared or enough are. */
void segment_pool_prepare(struct segment_pool *p);

/*
 * The file goes. One that cannot be removed is kept, and tried again later: forgotten it would bring all its
 * messages back at the next start.
 */
void segment_pool_remove_file(struct segment_pool *p, struct spool_segment *s);

/* Goes on with giving up what is not needed. */
void segment_pool_sweep(struct segment_pool *p);

#endif
