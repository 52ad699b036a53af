/* spool_hand: the segments in a writer's hands. See spool_hand.h. Invariant: a message's number begins with its segment's generation. */
#include "queue/spool_hand.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "queue/spool_record.h"

void
spool_hand_init(struct spool_hand *h)
{
	TAILQ_INIT(&h->segments);
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
	while (s != NULL && s->count >= (1U << SPOOL_COUNT_BITS) - 1)
		s = TAILQ_NEXT(s, link);
	return s != NULL ? s->generation << SPOOL_COUNT_BITS | ++s->count : 0;
}
