/*
 * segment_sweep: segments in which nothing is needed any more are given up: kept for a new life, or removed.
 * Part of segment_pool (segment_pool_parts.h). Removing a file takes the better part of a millisecond, and
 * there may be thousands at once (an administrator removes all mail): some in each turn of the loop.
 */
#include <errno.h>
#include <unistd.h>

#include "common/log.h"
#include "queue/segment_pool_parts.h"

#define FREE_MAX    8 /* more free segments than this are removed */
#define REMOVED_MAX 8 /* in a turn */
#define PAUSE_US    1000

/*
 * Its file goes. One that cannot be removed is kept, and tried again later: forgotten it would bring all its
 * messages back at the next start.
 */
void
segment_pool_remove_file(struct segment_pool *p, struct spool_segment *s)
{
	char name[SPOOL_NAME_SIZE];

	if (unlinkat(segment_pool_dirfd(p, s), spool_segment_name(s->number, s->large, name),
		0) == 0 ||
	    errno == ENOENT) {
		segment_pool_drop(p, s);
		return;
	}
	if (s->state != SEGMENT_SEALED || !s->damaged)
		log_warn("file=%s cannot be removed", name);
	s->state = SEGMENT_SEALED;
	s->damaged = true;
}

/* Nothing in it is needed, durably: a large file goes, a segment waits for a new life. True if a file was removed. */
static bool
let_go(struct segment_pool *p, struct spool_segment *s)
{
	if (s->large || s->damaged || p->nfree >= FREE_MAX || s->size != p->size) {
		segment_pool_remove_file(p, s);
		return true;
	}
	s->state = SEGMENT_FREE;
	p->nfree++;
	segment_pool_prepare(p);
	return false;
}

void
segment_pool_sweep(struct segment_pool *p)
{
	struct spool_segment *s = p->sweep_at != NULL ? p->sweep_at : TAILQ_FIRST(&p->all),
			     *next;
	unsigned removed = 0;

	p->sweep_at = NULL;
	for (; s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->state != SEGMENT_SEALED || s->live > 0 || s->unneeded_at > p->durable)
			continue;
		if (removed == REMOVED_MAX) {
			p->sweep_at = s;
			event_add(p->sweeper, &(struct timeval){0, PAUSE_US});
			return;
		}
		removed += let_go(p, s);
	}
	if (p->sweep_again) {
		p->sweep_again = false;
		event_add(p->sweeper, &(struct timeval){0, PAUSE_US});
	}
}

void
segment_pool_on_durable(struct segment_pool *p, uint64_t position)
{
	bool own = segment_pool_own_ready(p);

	if (position > p->durable)
		p->durable = position;
	if (!own && segment_pool_own_ready(p))
		p->ops->on_ready(p->arg);
	if (p->sweep_at != NULL)
		p->sweep_again = true;
	else
		segment_pool_sweep(p);
}
