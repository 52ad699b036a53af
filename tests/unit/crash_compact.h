/*
 * crash_compact: a crash_world whose old segments are emptied. The compactor
 * hurries: it takes no pauses and leaves nothing alone for being young.
 */
#ifndef TESTS_UNIT_CRASH_COMPACT_H
#define TESTS_UNIT_CRASH_COMPACT_H

#include <limits.h>

#include "tests/unit/crash_world.h"

#define COMPACT_SEGMENT (64U << 10)

/* Empties segments from now on, until world_close. */
static inline void
world_compact_start(struct world *w)
{
	static const struct compactor_pace at_once = {
	    .check_ms = 1, .late_ms = UINT_MAX, .per_second = 1U << 30, .share = 1};

	if (w->own == NULL)
		w->own = own_writer_new(w->f.base, w->f.store);
	if (w->compactor == NULL)
		w->compactor = compactor_new(w->f.base, w->f.store, w->own, &at_once);
}

/* Until there is nothing to do, or for so many milliseconds. */
static inline void
world_compact(struct world *w, unsigned ms)
{
	unsigned idle = 0;

	world_compact_start(w);
	for (unsigned i = 0; i < ms && idle < 50; i++) {
		world_turn(w, 1);
		idle = compactor_counts(w->compactor).active ? 0 : idle + 1;
	}
	assert_true(w->failing || idle == 50);
}

/* So many messages, of which about one in `of` stays: deferred, the others are delivered. */
static inline void
world_fill(struct world *w, unsigned n, unsigned of)
{
	unsigned first = w->nmessages;

	for (unsigned i = 0; i < n; i++) {
		(void)world_send(w, 3000 + world_random(w, 9000), 1 + world_random(w, 2));
		if (i % 4 == 3)
			world_settle_down(w);
	}
	world_settle_down(w);
	for (unsigned i = first; i < w->nmessages; i++)
		for (uint32_t k = 0; k < w->messages[i].given; k++)
			world_outcome(w, (int)i, k, i % of == 0 ? 'T' : 'D');
	world_turn(w, 25);
}

/* Messages that a compactor moved in this life. */
static inline uint64_t
world_moved(const struct world *w)
{
	return store_counts(w->f.store)->moved;
}

#endif
