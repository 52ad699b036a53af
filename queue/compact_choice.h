/*
 * compact_choice: which segment is worth emptying. Pure: looks at what the pool
 * knows of its segments, changes nothing. Called by compactor.
 *
 * Files of sealed segments may take 1.4 times the octets that live in them, and
 * COMPACT_SLACK segments; what is beyond that is given back by emptying the
 * sparsest. One that is more than two thirds alive is never emptied: it is not
 * needed for that, and would cost more than it gives.
 */
#ifndef QUEUE_COMPACT_CHOICE_H
#define QUEUE_COMPACT_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/segment_pool.h"

#define COMPACT_SLACK 2

struct compact_choice {
	uint64_t sealed;	      /* octets of the files of sealed segments */
	uint64_t live;		      /* octets of the messages that live in them */
	bool over;		      /* it is time to do something */
	struct spool_segment *victim; /* the best to be had, NULL: none can be emptied now */
};

/*
 * now, quiet: milliseconds (monotonic); a segment sealed less than quiet ago is left alone, 0: none is. room: the
 * most that copies may take.
 */
struct compact_choice compact_choose(
    struct segment_pool *p, uint64_t now, uint64_t quiet, uint64_t room);

#endif
