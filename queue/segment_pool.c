/* segment_pool: the segment files of the spool. See segment_pool.h and doc/SPOOL.md. */
#include "queue/segment_pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/idmap.h"
#include "common/log.h"
#include "common/worker.h"
#include "common/xalloc.h"
#include "queue/quarantine.h"

#define FREE_MAX  8 /* more free segments than this are removed */
#define RETRY_SEC 1

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
	struct event *retry;
	struct spool_segment *own; /* READY for the queue manager itself, NULL: none */
	uint64_t
	    own_at; /* journal position of the record that says so, of it or the one being prepared */
	uint64_t durable; /* journal position */
	bool keep_own, preparing, preparing_own, room;
	struct spool_segment *renewing;	    /* what is being prepared; NULL: a new file */
	struct spool_segment_header header; /* of what is being prepared */
	int error;
};

static void prepare(struct segment_pool *p);

static void
add(struct segment_pool *p, struct spool_segment *s)
{
	TAILQ_INSERT_TAIL(&p->all, s, link);
	if (idmap_insert(s->large ? &p->large_by_number : &p->by_number, s->number, s) != 0)
		fatalx("segment %" PRIu64 " stands in the spool twice", s->number);
	if (!s->large && s->number >= p->next_number)
		p->next_number = s->number + 1;
	segment_pool_generation_at_least(
	    p, s->generation); /* a large file's is its message's */
}

static void
drop(struct segment_pool *p, struct spool_segment *s)
{
	TAILQ_REMOVE(&p->all, s, link);
	(void)idmap_remove(s->large ? &p->large_by_number : &p->by_number, s->number);
	spool_segment_free(&s);
}

int
segment_pool_dirfd(const struct segment_pool *p, const struct spool_segment *s)
{
	return s->large ? p->large_fd : p->segments_fd;
}

/* One directory entry: a segment, the rest of an unfinished creation, or something foreign. */
static void
load_entry(struct segment_pool *p, const char *name, bool large)
{
	int dirfd = large ? p->large_fd : p->segments_fd;
	size_t len = strlen(name);
	struct spool_segment *s = NULL;
	const char *why = "it is no segment", *headless = NULL;
	uint64_t number;

	if (name[0] == '.')
		return;
	if (p->on_stray == NULL && len > 4 && strcmp(name + len - 4, ".new") == 0) {
		(void)unlinkat(dirfd, name, 0);
		return;
	}
	if (spool_segment_name_parse(name, large, &number) == 0) {
		s = spool_segment_open(dirfd, name, large, p->instance, &why);
		if (s == NULL)
			s = spool_segment_open_headless(
			    dirfd, name, large, p->instance, &headless);
	}
	if (s != NULL && s->headless)
		log_warnx("file=%s has a damaged header; its records are in use", name);
	if (s == NULL && p->on_stray != NULL)
		p->on_stray(large, name, why, p->arg);
	else if (s == NULL)
		quarantine_move(dirfd, name, p->corruptfd, why);
	if (s == NULL)
		return;
	if (p->on_stray == NULL && spool_segment_is_held(dirfd, s))
		s->state = SEGMENT_ORPHAN;
	add(p, s);
}

static int
load_directory(struct segment_pool *p, bool large)
{
	int fd = openat(
	    large ? p->large_fd : p->segments_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL)
		load_entry(p, e->d_name, large);
	closedir(d);
	return 0;
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	prepare(arg);
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

static int
load(struct segment_pool *p)
{
	if (p->segments_fd < 0 || p->large_fd < 0)
		return -1;
	return load_directory(p, false) == 0 && load_directory(p, true) == 0 ? 0 : -1;
}

struct segment_pool *
segment_pool_examine(int spoolfd, uint64_t instance, segment_pool_stray_fn *on_stray, void *arg)
{
	struct segment_pool *p = make_pool(spoolfd, instance, arg);

	p->on_stray = on_stray;
	if (load(p) != 0)
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
	p->worker = worker_new(base);
	if (load(p) != 0)
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
	while (!TAILQ_EMPTY(&p->all))
		drop(p, TAILQ_FIRST(&p->all));
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
	add(p, s);
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
	int r = p->renewing != NULL ? spool_segment_renew(p->segments_fd, &p->header, false)
				    : spool_segment_create(p->segments_fd, &p->header, false);

	p->error = r != 0 ? errno : 0;
}

/*
 * Its file goes. One that cannot be removed is kept, and tried again later: forgotten it would bring all its
 * messages back at the next start.
 */
static void
remove_file(struct segment_pool *p, struct spool_segment *s)
{
	char name[SPOOL_NAME_SIZE];

	if (unlinkat(segment_pool_dirfd(p, s), spool_segment_name(s->number, s->large, name),
		0) == 0 ||
	    errno == ENOENT) {
		drop(p, s);
		return;
	}
	if (s->state != SEGMENT_SEALED || !s->damaged)
		log_warn("file=%s cannot be removed", name);
	s->state = SEGMENT_SEALED;
	s->damaged = true;
}

/* A new header that may or may not be on disk: the file is not trusted with mail again. */
static void
give_up_file(struct segment_pool *p, struct spool_segment *s)
{
	s->live = 0;
	s->live_octets = 0;
	s->unneeded_at = 0;
	remove_file(p, s);
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
		add(p, s);
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
		prepare(p);
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

static void
prepare(struct segment_pool *p)
{
	struct spool_segment *s;
	uint64_t position;
	bool own = p->keep_own && p->own == NULL;

	if (p->preparing || (!own && p->ready >= p->keep_ready))
		return;
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

void
segment_pool_keep_ready(struct segment_pool *p, unsigned n)
{
	p->keep_ready = n;
	prepare(p);
}

void
segment_pool_keep_own(struct segment_pool *p)
{
	p->keep_own = true;
	prepare(p);
}

void
segment_pool_stop(struct segment_pool *p)
{
	p->keep_ready = 0;
	p->keep_own = false;
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
	prepare(p);
	return s;
}

struct spool_segment *
segment_pool_take_own(struct segment_pool *p, void *owner, int *fd)
{
	struct spool_segment *s = segment_pool_own_ready(p) ? p->own : NULL;

	if (s == NULL || hand_out(p, s, owner, fd) == NULL)
		return NULL;
	p->own = NULL;
	prepare(p);
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
	if (spool_segment_create(p->large_fd, &h, true) != 0)
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
	add(p, s);
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

/* Nothing in it is needed, durably: a large file goes, a segment waits for a new life. */
static void
let_go(struct segment_pool *p, struct spool_segment *s)
{
	if (s->large || s->damaged || p->nfree >= FREE_MAX || s->size != p->size) {
		remove_file(p, s);
		return;
	}
	s->state = SEGMENT_FREE;
	p->nfree++;
	prepare(p);
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

void
segment_pool_on_durable(struct segment_pool *p, uint64_t position)
{
	struct spool_segment *s, *next;
	bool own = segment_pool_own_ready(p);

	if (position > p->durable)
		p->durable = position;
	if (!own && segment_pool_own_ready(p))
		p->ops->on_ready(p->arg);
	for (s = TAILQ_FIRST(&p->all); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->state == SEGMENT_SEALED && s->live == 0 && s->unneeded_at <= position)
			let_go(p, s);
	}
}
