/* spool_hand: the segments in a writer's hands. See spool_hand.h. Invariant: a message's number begins with its segment's generation. */
#include "queue/spool_hand.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "queue/spool_record.h"

void
spool_hand_init(struct spool_hand *h)
{
	STAILQ_INIT(&h->segments);
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
	STAILQ_INSERT_TAIL(&h->segments, s, link);
}

void
spool_hand_remove(struct spool_hand *h, struct spool_held *s)
{
	STAILQ_REMOVE(&h->segments, s, spool_held, link);
	close(s->fd);
	free(s);
}

struct spool_held *
spool_hand_first(const struct spool_hand *h)
{
	return STAILQ_FIRST(&h->segments);
}

bool
spool_held_fits(const struct spool_held *s, uint64_t n)
{
	return s->at + spool_page_align(n) <= s->size;
}

uint64_t
spool_hand_next_message(struct spool_hand *h)
{
	struct spool_held *s = STAILQ_FIRST(&h->segments);

	/* A segment whose numbers are used up gives way to the next; its messages are safe. */
	while (s != NULL && s->count >= (1U << SPOOL_COUNT_BITS) - 1)
		s = STAILQ_NEXT(s, link);
	return s != NULL ? s->generation << SPOOL_COUNT_BITS | ++s->count : 0;
}
