/* segment_pool: the segment files of the spool. See segment_pool.h and doc/SPOOL.md. */
#include "queue/segment_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/segment_pool_parts.h"

void
segment_pool_add(struct segment_pool *p, struct spool_segment *s)
{
	TAILQ_INSERT_TAIL(&p->all, s, link);
	if (idmap_insert(s->large ? &p->large_by_number : &p->by_number, s->number, s) != 0)
		fatalx("segment %" PRIu64 " stands in the spool twice", s->number);
	if (!s->large && s->number >= p->next_number)
		p->next_number = s->number + 1;
	segment_pool_generation_at_least(
	    p, s->generation); /* a large file's is its message's */
}

void
segment_pool_drop(struct segment_pool *p, struct spool_segment *s)
{
	if (p->sweep_at == s)
		p->sweep_at = TAILQ_NEXT(s, link);
	TAILQ_REMOVE(&p->all, s, link);
	(void)idmap_remove(s->large ? &p->large_by_number : &p->by_number, s->number);
	spool_segment_free(&s);
}

int
segment_pool_dirfd(const struct segment_pool *p, const struct spool_segment *s)
{
	return s->large ? p->large_fd : p->segments_fd;
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	segment_pool_prepare(arg);
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	segment_pool_sweep(arg);
}

/* A pool of nothing yet, its directories opened (or not: load fails then). */
static struct segment_pool *
make_pool(int spoolfd, uint64_t instance, void *arg)
{
	struct segment_pool *p = xcalloc(1, sizeof *p);

	p->arg = arg;
	p->instance = instance;
	p->room = true;
	p->next_number = 1;
	TAILQ_INIT(&p->all);
	idmap_init(&p->by_number);
	idmap_init(&p->large_by_number);
	p->segments_fd = openat(spoolfd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->large_fd = openat(spoolfd, "large", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p;
}

struct segment_pool *
segment_pool_examine(int spoolfd, uint64_t instance, segment_pool_stray_fn *on_stray, void *arg)
{
	struct segment_pool *p = make_pool(spoolfd, instance, arg);

	p->on_stray = on_stray;
	if (segment_pool_load(p) != 0)
		segment_pool_free(&p);
	return p;
}

struct segment_pool *
segment_pool_new(struct event_base *base, int spoolfd, int corruptfd, uint64_t instance,
    uint64_t segment_size, const struct segment_pool_ops *ops, void *arg)
{
	struct segment_pool *p = make_pool(spoolfd, instance, arg);

	p->ops = ops;
	p->size = spool_page_align(segment_size);
	p->corruptfd = corruptfd;
	p->retry = evtimer_new(base, on_retry, p);
	p->sweeper = evtimer_new(base, on_sweep, p);
	p->worker = worker_new(base);
	if (segment_pool_load(p) != 0)
		segment_pool_free(&p);
	return p;
}

void
segment_pool_free(struct segment_pool **pp)
{
	struct segment_pool *p = *pp;
	int saved = errno;

	if (p == NULL)
		return;
	*pp = NULL;
	segment_pool_stop(p);
	worker_free(&p->worker);
	if (p->retry != NULL)
		event_free(p->retry);
	if (p->sweeper != NULL)
		event_free(p->sweeper);
	while (!TAILQ_EMPTY(&p->all))
		segment_pool_drop(p, TAILQ_FIRST(&p->all));
	idmap_release(&p->by_number);
	idmap_release(&p->large_by_number);
	if (p->segments_fd >= 0)
		close(p->segments_fd);
	if (p->large_fd >= 0)
		close(p->large_fd);
	free(p);
	errno = saved;
}

void
segment_pool_generation_at_least(struct segment_pool *p, uint64_t generation)
{
	if (generation > p->generation)
		p->generation = generation;
}

uint64_t
segment_pool_generation(const struct segment_pool *p)
{
	return p->generation;
}

struct spool_segment *
segment_pool_find(struct segment_pool *p, uint64_t number, bool large)
{
	return idmap_find(large ? &p->large_by_number : &p->by_number, number);
}

struct spool_segment *
segment_pool_add_lost(struct segment_pool *p, uint64_t number, uint64_t generation, bool large)
{
	struct spool_segment *s = segment_pool_find(p, number, large);

	if (s != NULL)
		return s->fd < 0 && s->generation == generation ? s : NULL;
	s = xcalloc(1, sizeof *s);
	s->number = number;
	s->generation = generation;
	s->accounted = SPOOL_PAGE;
	s->state = SEGMENT_SEALED;
	s->fd = -1;
	s->large = large;
	s->complete = s->damaged = s->kept = true;
	segment_pool_add(p, s);
	return s;
}

struct spool_segment *
segment_pool_next(struct segment_pool *p, struct spool_segment *s)
{
	return s == NULL ? TAILQ_FIRST(&p->all) : TAILQ_NEXT(s, link);
}

bool
segment_pool_has_room(const struct segment_pool *p)
{
	return p->room;
}

uint64_t
segment_pool_segment_size(const struct segment_pool *p)
{
	return p->size;
}

void
segment_pool_keep_ready(struct segment_pool *p, unsigned n)
{
	p->keep_ready = n;
	segment_pool_prepare(p);
}

void
segment_pool_keep_own(struct segment_pool *p)
{
	p->keep_own = true;
	segment_pool_prepare(p);
}

void
segment_pool_hurry(struct segment_pool *p)
{
	atomic_store(&p->hurry, true);
}

void
segment_pool_stop(struct segment_pool *p)
{
	p->keep_ready = 0;
	p->keep_own = false;
	segment_pool_hurry(p); /* an end does not wait for zeros */
}

unsigned
segment_pool_ready(const struct segment_pool *p)
{
	return p->ready;
}

bool
segment_pool_own_ready(const struct segment_pool *p)
{
	return p->own != NULL && p->own_at <= p->durable;
}

/* A READY one becomes OWNED. NULL: it cannot be opened now. */
static struct spool_segment *
hand_out(struct segment_pool *p, struct spool_segment *s, void *owner, int *fd)
{
	*fd = spool_segment_write_fd(p->segments_fd, s);
	if (*fd < 0) {
		log_warn("segment=%" PRIu64 " cannot be handed out", s->number);
		return NULL;
	}
	s->state = SEGMENT_OWNED;
	s->owner = owner;
	return s;
}

struct spool_segment *
segment_pool_take(struct segment_pool *p, void *owner, int *fd)
{
	struct spool_segment *s;

	TAILQ_FOREACH (s, &p->all, link)
		if (s->state == SEGMENT_READY && !s->own)
			break;
	if (s == NULL || hand_out(p, s, owner, fd) == NULL)
		return NULL;
	p->ready--;
	segment_pool_prepare(p);
	return s;
}

struct spool_segment *
segment_pool_take_own(struct segment_pool *p, void *owner, int *fd)
{
	struct spool_segment *s = segment_pool_own_ready(p) ? p->own : NULL;

	if (s == NULL || hand_out(p, s, owner, fd) == NULL)
		return NULL;
	p->own = NULL;
	segment_pool_prepare(p);
	return s;
}

struct spool_segment *
segment_pool_create_large(
    struct segment_pool *p, uint64_t message, uint64_t size, void *owner, int *fd)
{
	struct spool_segment_header h = {.number = message,
	    .generation = message >> SPOOL_COUNT_BITS,
	    .instance = p->instance,
	    .size = size};
	char name[SPOOL_NAME_SIZE];
	struct spool_segment *s;
	const char *why;

	if (idmap_find(&p->large_by_number, message) != NULL) {
		errno = EEXIST;
		return NULL;
	}
	if (spool_segment_create(p->large_fd, &h, true, NULL) != 0)
		return NULL;
	spool_segment_name(message, true, name);
	s = spool_segment_open(p->large_fd, name, true, p->instance, &why);
	*fd = s != NULL ? spool_segment_write_fd(p->large_fd, s) : -1;
	if (*fd < 0) {
		spool_segment_free(&s);
		(void)unlinkat(p->large_fd, name, 0);
		errno = EIO;
		return NULL;
	}
	s->state = SEGMENT_OWNED;
	s->owner = owner;
	segment_pool_add(p, s);
	return s;
}

void
segment_pool_directories(const struct segment_pool *p, int fds[2])
{
	fds[0] = p->segments_fd;
	fds[1] = p->large_fd;
}

int
segment_pool_flush_removals(const struct segment_pool *p)
{
	return fsync(p->segments_fd) == 0 && fsync(p->large_fd) == 0 ? 0 : -1;
}

int
segment_pool_read_fd(struct segment_pool *p, const struct spool_segment *s)
{
	char name[SPOOL_NAME_SIZE];

	return openat(segment_pool_dirfd(p, s), spool_segment_name(s->number, s->large, name),
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

bool
segment_pool_is_held(struct segment_pool *p, const struct spool_segment *s)
{
	return spool_segment_is_held(segment_pool_dirfd(p, s), s);
}

void
segment_pool_seal(struct segment_pool *p, struct spool_segment *s)
{
	(void)p;
	s->state = SEGMENT_SEALED;
	s->sealed_at = clock_mono_ms();
	s->owner = NULL;
}

void
segment_pool_more(struct spool_segment *s, uint64_t octets)
{
	s->live++;
	s->live_octets += octets;
}

void
segment_pool_less(struct spool_segment *s, uint64_t octets, uint64_t position)
{
	s->live--;
	s->live_octets -= octets;
	if (position > s->unneeded_at)
		s->unneeded_at = position;
}
