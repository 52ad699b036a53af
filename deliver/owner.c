/*
 * owner: the pool of local's children. See owner.h.
 *
 * An owner with work exists as an object at once, and has a process (a channel)
 * as soon as there is a place; those without stand in order of arrival.
 */
#include "deliver/owner.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/clock.h"
#include "common/xalloc.h"
#include "deliver/spawner.h"

#define SWEEP_MS	   5000
#define SPAWNER_BACKOFF_MS 1000

struct call {
	TAILQ_ENTRY(call) link;
	uint64_t id;
	uint64_t sent_ms;
	struct wire_out w;
	int fd;
	owner_answer_fn *fn;
	void *arg;
};

TAILQ_HEAD(calls, call);

struct owner {
	TAILQ_ENTRY(owner) link;
	struct owner_pool *pool;
	uid_t uid;
	gid_t gid;
	char *directory;
	struct channel *channel; /* NULL: no process yet */
	uint64_t serial;	 /* the spawner's name for the process */
	struct calls waiting, inflight;
	size_t ninflight;
	bool said_stuck;
	uint64_t idle_since_ms;
};

TAILQ_HEAD(owners, owner);

struct owner_pool {
	struct event_base *base;
	enum log_level level;
	enum syscall_filter_mode filter;
	int spawner; /* socket, or -1 */
	struct event *spawner_gone, *restart, *sweep, *work;
	struct owners placed; /* with a process, least recently used first */
	struct owners queued; /* without, first come first */
	struct calls failed;  /* could not be sent; told from the loop */
	size_t nplaced;
	uint64_t next_id, next_serial;
};

static void pool_place(struct owner_pool *);

static bool
owner_is_idle(const struct owner *o)
{
	return TAILQ_EMPTY(&o->waiting) && TAILQ_EMPTY(&o->inflight);
}

/*
 * Has the child been silent for long? Its owner can stop it at will, and what waits for it holds places
 * that the mail of others needs.
 */
static bool
owner_is_stuck(const struct owner *o, uint64_t now)
{
	const struct call *first = TAILQ_FIRST(&o->inflight);

	return first != NULL && now - first->sent_ms >= OWNER_STUCK_MS;
}

static void
call_free(struct call *c)
{
	wire_out_release(&c->w);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* Its calls and its place in a list are gone already. */
static void
owner_free(struct owner *o)
{
	channel_free(&o->channel);
	free(o->directory);
	free(o);
}

/* The owner is no more; its calls are answered with NULL when nothing of it is left to trip over. */
static void
owner_end(struct owner *o, const char *why)
{
	struct owner_pool *p = o->pool;
	struct calls lost = TAILQ_HEAD_INITIALIZER(lost);
	struct call *c;

	if (why != NULL)
		log_warnx("child of uid %u is gone with mail in hand: %s", o->uid, why);
	TAILQ_CONCAT(&lost, &o->inflight, link);
	TAILQ_CONCAT(&lost, &o->waiting, link);
	TAILQ_REMOVE(o->channel != NULL ? &p->placed : &p->queued, o, link);
	p->nplaced -= o->channel != NULL;
	owner_free(o);
	while ((c = TAILQ_FIRST(&lost)) != NULL) {
		TAILQ_REMOVE(&lost, c, link);
		c->fn(NULL, c->arg);
		call_free(c);
	}
	pool_place(p);
}

/* Hands the child as much as it may have at once. */
static void
owner_push(struct owner *o)
{
	struct call *c;

	while (o->channel != NULL && o->ninflight < OWNER_INFLIGHT_MAX &&
	       (c = TAILQ_FIRST(&o->waiting)) != NULL) {
		int fd = c->fd;

		TAILQ_REMOVE(&o->waiting, c, link);
		TAILQ_INSERT_TAIL(&o->inflight, c, link);
		o->ninflight++;
		c->sent_ms = clock_mono_ms();
		c->fd = -1;
		if (channel_send(o->channel, &c->w, fd) != 0)
			c->sent_ms =
			    0; /* the sweep ends it; happens only to what exceeds the limits */
		else if (fd >= 0)
			channel_flush(o->channel); /* few descriptors may wait at once */
		wire_out_release(&c->w);
	}
}

static void
on_message(struct channel *channel, struct wire_msg *m, void *arg)
{
	struct owner *o = arg;
	struct owner_pool *p = o->pool;
	struct call *c;

	(void)channel;
	TAILQ_FOREACH (c, &o->inflight, link)
		if (c->id == m->id)
			break;
	if (c == NULL || !span_is(m->verb, "answer")) {
		owner_end(o, "it answers what was not asked");
		return;
	}
	TAILQ_REMOVE(&o->inflight, c, link);
	o->ninflight--;
	c->fn(m, c->arg);
	call_free(c);
	owner_push(o);
	if (!owner_is_idle(o))
		return;
	o->idle_since_ms = clock_mono_ms();
	TAILQ_REMOVE(&p->placed, o, link);
	TAILQ_INSERT_TAIL(&p->placed, o, link);
	if (!TAILQ_EMPTY(&p->queued))
		event_active(p->work, EV_TIMEOUT, 0);
}

static void
on_close(struct channel *channel, const char *why, void *arg)
{
	struct owner *o = arg;

	(void)channel;
	owner_end(o, owner_is_idle(o) ? NULL : why);
}

static const struct channel_ops channel_ops = {.on_message = on_message, .on_close = on_close};

/* Gives the owner a process. If that fails the other end is closed, and on_close follows. */
static void
owner_place(struct owner *o)
{
	struct owner_pool *p = o->pool;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) != 0) {
		log_warn("cannot make a channel to a child");
		owner_end(o, "never started");
		return;
	}
	TAILQ_REMOVE(&p->queued, o, link);
	TAILQ_INSERT_TAIL(&p->placed, o, link);
	p->nplaced++;
	o->serial = p->next_serial++;
	o->channel = channel_new(p->base, sv[0], &channel_ops, o);
	if (spawner_spawn(p->spawner, o->serial, o->uid, o->gid, o->directory, sv[1]) != 0)
		log_warn("cannot ask for a child of uid %u", o->uid);
	owner_push(o);
}

static struct owner *
find_idle(struct owner_pool *p)
{
	struct owner *o;

	TAILQ_FOREACH (o, &p->placed, link)
		if (owner_is_idle(o))
			return o;
	return NULL;
}

/* Places for those who wait, as far as there are any. */
static void
pool_place(struct owner_pool *p)
{
	struct owner *o;

	while (p->spawner >= 0 && (o = TAILQ_FIRST(&p->queued)) != NULL) {
		struct owner *idle;

		if (p->nplaced >= OWNER_CHILDREN_MAX) {
			idle = find_idle(p);
			if (idle == NULL)
				return;
			TAILQ_REMOVE(&p->placed, idle, link);
			p->nplaced--;
			owner_free(idle);
		}
		owner_place(o);
	}
}

static void
on_work(evutil_socket_t fd, short what, void *arg)
{
	struct owner_pool *p = arg;
	struct call *c;

	(void)fd, (void)what;
	while ((c = TAILQ_FIRST(&p->failed)) != NULL) {
		TAILQ_REMOVE(&p->failed, c, link);
		c->fn(NULL, c->arg);
		call_free(c);
	}
	pool_place(p);
}

/* What waits for a child that is silent is put off; what it has in hand is not, since it may be delivered. */
static void
put_off_waiting(struct owner *o)
{
	struct owner_pool *p = o->pool;

	if (!o->said_stuck)
		log_warnx("child of uid %u has not answered for %d s: other mail for it is "
			  "put off",
		    o->uid, OWNER_STUCK_MS / 1000);
	o->said_stuck = true;
	if (TAILQ_EMPTY(&o->waiting))
		return;
	TAILQ_CONCAT(&p->failed, &o->waiting, link);
	event_active(p->work, EV_TIMEOUT, 0);
}

/* Ends children that were idle for long, or that hang. */
static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct owner_pool *p = arg;
	uint64_t now = clock_mono_ms();
	struct owner *o, *next;

	(void)fd, (void)what;
	for (o = TAILQ_FIRST(&p->placed); o != NULL; o = next) {
		const struct call *first = TAILQ_FIRST(&o->inflight);

		next = TAILQ_NEXT(o, link);
		if (owner_is_idle(o) && now - o->idle_since_ms >= OWNER_IDLE_MS) {
			owner_end(o, NULL);
			break; /* others may have moved; the next round sees them */
		}
		if (first != NULL && now - first->sent_ms >= OWNER_DEADLINE_MS) {
			spawner_kill(p->spawner, o->serial);
			owner_end(o, "it did not answer in time");
			break;
		}
		if (owner_is_stuck(o, now))
			put_off_waiting(o);
		else
			o->said_stuck = false;
	}
	event_add(p->sweep, &(struct timeval){o != NULL ? 0 : SWEEP_MS / 1000, 0});
}

/* --- the spawner --- */

static void
on_spawner_gone(evutil_socket_t fd, short what, void *arg)
{
	struct owner_pool *p = arg;
	char octet;

	(void)what;
	if (recv(fd, &octet, 1, MSG_DONTWAIT) > 0 || errno == EAGAIN)
		return;
	log_warnx("the process that makes children is gone, starting another");
	event_free(p->spawner_gone);
	p->spawner_gone = NULL;
	close(p->spawner);
	p->spawner = -1;
	event_add(p->restart, &(struct timeval){SPAWNER_BACKOFF_MS / 1000, 0});
}

static void
on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct owner_pool *p = arg;

	(void)fd, (void)what;
	p->spawner = spawner_start(p->level, p->filter);
	if (p->spawner < 0) {
		log_warn("cannot start the process that makes children");
		event_add(p->restart, &(struct timeval){SPAWNER_BACKOFF_MS / 1000, 0});
		return;
	}
	p->spawner_gone =
	    event_new(p->base, p->spawner, EV_READ | EV_PERSIST, on_spawner_gone, p);
	event_add(p->spawner_gone, NULL);
	pool_place(p);
}

/* --- the pool --- */

struct owner_pool *
owner_pool_new(struct event_base *base, enum log_level level, enum syscall_filter_mode filter)
{
	struct owner_pool *p = xcalloc(1, sizeof *p);

	p->base = base;
	p->level = level;
	p->filter = filter;
	p->spawner = -1;
	p->next_id = p->next_serial = 1;
	TAILQ_INIT(&p->placed);
	TAILQ_INIT(&p->queued);
	TAILQ_INIT(&p->failed);
	p->restart = evtimer_new(base, on_restart, p);
	p->sweep = evtimer_new(base, on_sweep, p);
	p->work = event_new(base, -1, 0, on_work, p);
	event_add(p->sweep, &(struct timeval){SWEEP_MS / 1000, 0});
	on_restart(-1, 0, p);
	return p;
}

static void
forget_calls(struct calls *list)
{
	struct call *c;

	while ((c = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, c, link);
		call_free(c);
	}
}

static void
forget_all(struct owners *list)
{
	struct owner *o;

	while ((o = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, o, link);
		forget_calls(&o->inflight);
		forget_calls(&o->waiting);
		owner_free(o);
	}
}

void
owner_pool_free(struct owner_pool **pp)
{
	struct owner_pool *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	forget_all(&p->placed);
	forget_all(&p->queued);
	forget_calls(&p->failed);
	if (p->spawner_gone != NULL)
		event_free(p->spawner_gone);
	event_free(p->restart);
	event_free(p->sweep);
	event_free(p->work);
	if (p->spawner >= 0)
		close(p->spawner);
	free(p);
}

uint64_t
owner_pool_next_id(struct owner_pool *p)
{
	return p->next_id++;
}

static struct owner *
find(struct owners *list, const struct owner_name *name)
{
	struct owner *o;

	TAILQ_FOREACH (o, list, link)
		if (o->uid == name->uid && o->gid == name->gid &&
		    strcmp(o->directory, name->directory) == 0)
			return o;
	return NULL;
}

static struct owner *
obtain(struct owner_pool *p, const struct owner_name *name)
{
	struct owner *o = find(&p->placed, name);

	if (o == NULL)
		o = find(&p->queued, name);
	if (o == NULL) {
		o = xcalloc(1, sizeof *o);
		o->pool = p;
		o->uid = name->uid;
		o->gid = name->gid;
		o->directory = xstrdup(name->directory);
		TAILQ_INIT(&o->waiting);
		TAILQ_INIT(&o->inflight);
		TAILQ_INSERT_TAIL(&p->queued, o, link);
	}
	return o;
}

void
owner_pool_send(struct owner_pool *p, const struct owner_name *name, uint64_t id,
    struct wire_out *w, int fd, owner_answer_fn *fn, void *arg)
{
	struct owner *o = obtain(p, name);
	struct call *c = xcalloc(1, sizeof *c);

	c->id = id;
	c->w = *w;
	c->fd = fd;
	c->fn = fn;
	c->arg = arg;
	*w = (struct wire_out){0};
	TAILQ_INSERT_TAIL(&o->waiting, c, link);
	if (owner_is_stuck(o, clock_mono_ms()))
		put_off_waiting(o);
	else if (o->channel != NULL)
		owner_push(o);
	else
		event_active(p->work, EV_TIMEOUT, 0);
}
