/* spool_hand: the segments in a writer's hands. See spool_hand.h. Invariant: a message's number begins with the generation of a segment that this writer had. */
#include "queue/spool_hand.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "queue/spool_record.h"

#define COUNT_MAX ((1U << SPOOL_COUNT_BITS) - 1)

void
spool_hand_init(struct spool_hand *h)
{
	TAILQ_INIT(&h->segments);
	h->generation = h->count = 0;
}

void
spool_hand_release(struct spool_hand *h)
{
	struct spool_held *s;

	while ((s = spool_hand_first(h)) != NULL)
		spool_hand_remove(h, s);
}

void
spool_hand_add(struct spool_hand *h, const struct spool_held *what)
{
	struct spool_held *s = xcalloc(1, sizeof *s);

	*s = *what;
	TAILQ_INSERT_TAIL(&h->segments, s, link);
}

void
spool_hand_remove(struct spool_hand *h, struct spool_held *s)
{
	if (spool_hand_last(h) == s) {
		h->generation = s->generation;
		h->count = s->count;
	}
	TAILQ_REMOVE(&h->segments, s, link);
	close(s->fd);
	free(s);
}

struct spool_held *
spool_hand_first(const struct spool_hand *h)
{
	return TAILQ_FIRST(&h->segments);
}

struct spool_held *
spool_hand_last(const struct spool_hand *h)
{
	return TAILQ_LAST(&h->segments, spool_held_list);
}

bool
spool_held_fits(const struct spool_held *s, uint64_t n)
{
	return s->at + spool_page_align(n) <= s->size;
}

uint64_t
spool_hand_next_message(struct spool_hand *h)
{
	struct spool_held *s = TAILQ_FIRST(&h->segments);

	/* A segment whose numbers are used up gives way to the next; its messages are safe. */
	while (s != NULL && s->count >= COUNT_MAX)
		s = TAILQ_NEXT(s, link);
	if (s != NULL)
		return s->generation << SPOOL_COUNT_BITS | ++s->count;
	if (!TAILQ_EMPTY(&h->segments) || h->generation == 0 || h->count >= COUNT_MAX)
		return 0;
	return h->generation << SPOOL_COUNT_BITS | ++h->count;
}
