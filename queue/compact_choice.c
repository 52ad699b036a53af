/* compact_choice: which segment is worth emptying. See compact_choice.h. */
#include "queue/compact_choice.h"

#include "queue/compact_source.h"
#include "queue/spool_batch.h"

/* What copies take: the records, and the padding of their batches, one or more for each window that is read. */
static uint64_t
room_needed(const struct spool_segment *s)
{
	uint64_t batches = s->size / COMPACT_WINDOW + s->live / SPOOL_BATCH_MESSAGES + 2;

	return s->live_octets + batches * SPOOL_PAGE;
}

static bool
can_be_emptied(const struct spool_segment *s, uint64_t now, uint64_t quiet, uint64_t room)
{
	return s->live > 0 && s->live_octets < s->size / 3 * 2 && room_needed(s) <= room &&
	       s->retry_at <= now &&
	       (quiet == 0 || s->sealed_at == 0 || s->sealed_at + quiet <= now);
}

/* Is less of a alive than of b? */
static bool
is_sparser(const struct spool_segment *a, const struct spool_segment *b)
{
	return (double)a->live_octets / (double)a->size <
	       (double)b->live_octets / (double)b->size;
}

struct compact_choice
compact_choose(struct segment_pool *p, uint64_t now, uint64_t quiet, uint64_t room)
{
	struct compact_choice c = {0};

	for (struct spool_segment *s = NULL; (s = segment_pool_next(p, s)) != NULL;) {
		if (s->large || s->state != SEGMENT_SEALED || s->fd < 0)
			continue;
		c.sealed += s->size;
		c.live += s->live_octets;
		if (can_be_emptied(s, now, quiet, room) &&
		    (c.victim == NULL || is_sparser(s, c.victim)))
			c.victim = s;
	}
	c.over =
	    c.sealed > c.live + c.live / 5 * 2 + COMPACT_SLACK * segment_pool_segment_size(p);
	return c;
}
