/*
 * segment_prepare: segments made READY ahead of need, new files or emptied ones, one at a time by
 * the pool's worker thread. Part of segment_pool (segment_pool_parts.h). When the disk is full
 * it tries again every second.
 */
#include <errno.h>
#include <inttypes.h>

#include "common/log.h"
#include "queue/segment_pool_parts.h"

#define RETRY_SEC 1

static void
set_room(struct segment_pool *p, bool room)
{
	if (room == p->room)
		return;
	p->room = room;
	if (room)
		log_info("spool: there is room again");
	p->ops->on_space(room, p->arg);
}

static void
prepare_run(struct worker_task *t)
{
	struct segment_pool *p = (struct segment_pool *)(void *)t;
	int r = p->renewing != NULL
		    ? spool_segment_renew(p->segments_fd, &p->header, false)
		    : spool_segment_create(p->segments_fd, &p->header, false, &p->hurry);

	p->error = r != 0 ? errno : 0;
}

/* A new header that may or may not be on disk: the file is not trusted with mail again. */
static void
give_up_file(struct segment_pool *p, struct spool_segment *s)
{
	s->live = 0;
	s->live_octets = 0;
	s->unneeded_at = 0;
	segment_pool_remove_file(p, s);
}

static void
prepared(struct segment_pool *p)
{
	struct spool_segment *s = p->renewing;
	char name[SPOOL_NAME_SIZE];
	const char *why = NULL;

	if (s == NULL) {
		s = spool_segment_open(p->segments_fd,
		    spool_segment_name(p->header.number, false, name), false, p->instance,
		    &why);
		if (s == NULL) {
			log_warnx("segment=%s cannot be used: %s", name, why);
			return;
		}
		segment_pool_add(p, s);
	}
	s->generation = p->header.generation;
	s->accounted = SPOOL_PAGE;
	s->complete = s->own = false;
	s->live = 0;
	s->live_octets = 0;
	s->retry_at = 0;
	s->state = SEGMENT_READY;
	s->own = p->preparing_own;
	if (s->own) {
		p->own = s;
		if (p->own_at > p->durable)
			return; /* segment_pool_on_durable goes on */
	} else {
		p->ready++;
		set_room(p, true);
	}
	p->ops->on_ready(p->arg);
}

static void
prepare_done(struct worker_task *t)
{
	struct segment_pool *p = (struct segment_pool *)(void *)t;

	p->preparing = false;
	if (p->error == 0) {
		prepared(p);
		segment_pool_prepare(p);
		return;
	}
	errno = p->error;
	if (p->room)
		log_warn("spool: no further segment");
	if (p->renewing != NULL)
		give_up_file(p, p->renewing);
	if (p->ready == 0)
		set_room(p, false);
	event_add(p->retry, &(struct timeval){RETRY_SEC, 0});
}

static struct spool_segment *
find_free(struct segment_pool *p)
{
	struct spool_segment *s;

	TAILQ_FOREACH (s, &p->all, link)
		if (s->state == SEGMENT_FREE && s->size == p->size)
			return s;
	return NULL;
}

void
segment_pool_prepare(struct segment_pool *p)
{
	struct spool_segment *s;
	uint64_t position;
	bool own = p->keep_own && p->own == NULL;

	if (p->preparing || (!own && p->ready >= p->keep_ready))
		return;
	/* Somebody waits for each until there is one in stock. */
	if (p->ready > 0)
		atomic_store(&p->hurry, false);
	s = p->nfree > 0 ? find_free(p) : NULL;
	p->generation++;
	p->header =
	    (struct spool_segment_header){.number = s != NULL ? s->number : p->next_number++,
		.generation = p->generation,
		.instance = p->instance,
		.size = p->size};
	if (s != NULL) {
		s->state = SEGMENT_PREPARING;
		p->nfree--;
	}
	position = p->ops->on_generation(p->header.number, p->generation, own, p->arg);
	if (own)
		p->own_at = position;
	p->renewing = s;
	p->preparing = true;
	p->preparing_own = own;
	p->task = (struct worker_task){.run = prepare_run, .done = prepare_done};
	worker_submit(p->worker, &p->task);
}
