/*
 * peer: a reconnecting client of one of our processes. See peer.h.
 *
 * Requests under way stand in a ring indexed by their id, in order of sending;
 * one timer serves the oldest of each round, so a call costs no system call.
 */
#include "common/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"

#define BACKOFF_FIRST_MS 10
#define BACKOFF_MAX_MS	 1000
#define SWEEP_MS	 250

struct call {
	uint64_t id;
	uint64_t deadline_ms;
	peer_answer_fn *fn;
	void *arg;
};

struct peer {
	struct event_base *base;
	struct channel *channel;
	struct event *retry, *sweep, *undelivered;
	const struct peer_ops *ops;
	void *arg;
	char *path, *role;
	unsigned backoff_ms;
	bool up, said_down;
	uint64_t next_id;
	struct call *
	    calls; /* ring of cap (a power of two); slot = id & (cap - 1), empty if fn is NULL */
	size_t cap;
	uint64_t oldest; /* no call under way has a smaller id */
};

static void connect_now(evutil_socket_t, short, void *);

uint64_t
peer_next_id(struct peer *p)
{
	return p->next_id++;
}

bool
peer_is_up(const struct peer *p)
{
	return p->up;
}

size_t
peer_backlog(const struct peer *p)
{
	return p->channel != NULL ? channel_backlog(p->channel) : 0;
}

void
peer_flush(struct peer *p)
{
	if (p->channel != NULL)
		channel_flush(p->channel);
}

static struct call *
slot(struct peer *p, uint64_t id)
{
	return &p->calls[id & (p->cap - 1)];
}

static void
skip_empty(struct peer *p)
{
	while (p->oldest < p->next_id &&
	       (slot(p, p->oldest)->fn == NULL || slot(p, p->oldest)->id != p->oldest))
		p->oldest++;
}

static void
grow(struct peer *p)
{
	struct call *old = p->calls;
	size_t cap = p->cap;

	p->cap = cap * 2;
	p->calls = xcalloc(p->cap, sizeof *p->calls);
	for (size_t i = 0; i < cap; i++)
		if (old[i].fn != NULL)
			*slot(p, old[i].id) = old[i];
	free(old);
}

/* Answers one call with m or NULL. The slot is free before the function runs. */
static void
answer(struct peer *p, uint64_t id, struct wire_msg *m)
{
	struct call c = *slot(p, id);

	if (id < p->oldest || c.fn == NULL || c.id != id)
		return;
	*slot(p, id) = (struct call){0};
	skip_empty(p);
	c.fn(m, c.arg);
}

static void
answer_all_with_null(struct peer *p)
{
	uint64_t end = p->next_id;

	for (uint64_t id = p->oldest; id < end; id++)
		answer(p, id, NULL);
}

static void
schedule_retry(struct peer *p)
{
	struct timeval tv = {p->backoff_ms / 1000, (p->backoff_ms % 1000) * 1000};

	event_add(p->retry, &tv);
	p->backoff_ms = p->backoff_ms * 2 < BACKOFF_MAX_MS ? p->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void
on_close(struct channel *c, const char *why, void *arg)
{
	struct peer *p = arg;
	bool was_up = p->up;

	(void)c;
	if (!p->said_down)
		log_info("peer=%s lost: %s", p->path, why);
	p->said_down = true;
	p->up = false;
	channel_free(&p->channel);
	schedule_retry(p);
	answer_all_with_null(p);
	if (was_up && p->ops->on_down != NULL)
		p->ops->on_down(p, p->arg);
}

static void
on_hello(struct peer *p, struct wire_msg *m)
{
	uint64_t version;

	if (wire_get_u64(m, "version", UINT32_MAX, &version) != 0 || version != WIRE_VERSION) {
		on_close(p->channel, "another protocol version", p);
		return;
	}
	if (p->said_down)
		log_info("peer=%s is back", p->path);
	p->said_down = false;
	p->up = true;
	p->backoff_ms = BACKOFF_FIRST_MS;
	if (p->ops->on_up != NULL)
		p->ops->on_up(p, p->arg);
}

static void
on_message(struct channel *c, struct wire_msg *m, void *arg)
{
	struct peer *p = arg;

	(void)c;
	if (!p->up && span_is(m->verb, "hello"))
		on_hello(p, m);
	else if (!p->up)
		on_close(p->channel, "no greeting", p);
	else if (span_is(m->verb, "answer"))
		answer(p, m->id, m);
	else if (p->ops->on_message != NULL)
		p->ops->on_message(p, m, p->arg);
}

static const struct channel_ops channel_ops = {.on_message = on_message, .on_close = on_close};

static void
connect_now(evutil_socket_t unused, short what, void *arg)
{
	struct peer *p = arg;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct wire_out hello;
	int fd;

	(void)unused, (void)what;
	memcpy(a.sun_path, p->path, strlen(p->path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		if (!p->said_down)
			log_warn("peer=%s does not answer, trying on", p->path);
		p->said_down = true;
		if (fd >= 0)
			close(fd);
		schedule_retry(p);
		return;
	}
	p->channel = channel_new(p->base, fd, &channel_ops, p);
	wire_out_init(&hello, "hello", 0);
	wire_add_u64(&hello, "version", WIRE_VERSION);
	wire_add_str(&hello, "role", p->role);
	channel_send(p->channel, &hello, -1);
	wire_out_release(&hello);
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	uint64_t now = clock_mono_ms(), end = p->next_id;

	(void)fd, (void)what;
	for (uint64_t id = p->oldest; id < end; id++) {
		struct call *c = slot(p, id);

		if (c->fn != NULL && c->id == id && (now >= c->deadline_ms || !p->up))
			answer(p, id, NULL);
	}
	if (p->oldest < p->next_id)
		event_add(p->sweep, &(struct timeval){0, SWEEP_MS * 1000});
}

struct peer *
peer_new(struct event_base *base, const char *path, const char *role,
    const struct peer_ops *ops, void *arg)
{
	struct peer *p = xcalloc(1, sizeof *p);

	if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
		fatalx("socket path too long: %s", path);
	p->base = base;
	p->ops = ops;
	p->arg = arg;
	p->path = xstrdup(path);
	p->role = xstrdup(role);
	p->backoff_ms = BACKOFF_FIRST_MS;
	p->next_id = p->oldest = 1;
	p->cap = 64;
	p->calls = xcalloc(p->cap, sizeof *p->calls);
	p->retry = evtimer_new(base, connect_now, p);
	p->sweep = evtimer_new(base, on_sweep, p);
	p->undelivered = event_new(base, -1, 0, on_sweep, p);
	event_active(p->retry, EV_TIMEOUT, 0);
	return p;
}

void
peer_free(struct peer **pp)
{
	struct peer *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	channel_free(&p->channel);
	event_free(p->retry);
	event_free(p->sweep);
	event_free(p->undelivered);
	free(p->calls);
	free(p->path);
	free(p->role);
	free(p);
}

void
peer_call(
    struct peer *p, struct wire_out *w, unsigned timeout_ms, peer_answer_fn *fn, void *arg)
{
	uint64_t id = p->next_id - 1;

	while (p->next_id - p->oldest > p->cap || slot(p, id)->fn != NULL) {
		skip_empty(p);
		grow(p);
	}
	*slot(p, id) = (struct call){id, clock_mono_ms() + timeout_ms, fn, arg};
	skip_empty(p);
	if (!p->up || channel_send(p->channel, w, -1) != 0) {
		slot(p, id)->deadline_ms = 0;
		event_active(p->undelivered, EV_TIMEOUT, 0);
	} else if (!event_pending(p->sweep, EV_TIMEOUT, NULL)) {
		event_add(p->sweep, &(struct timeval){0, SWEEP_MS * 1000});
	}
	wire_out_release(w);
}

void
peer_cancel(struct peer *p, uint64_t id)
{
	struct call *c = slot(p, id);

	if (c->fn != NULL && c->id == id) {
		*c = (struct call){0};
		skip_empty(p);
	}
}

int
peer_notify(struct peer *p, struct wire_out *w, int fd)
{
	int r = -1;

	if (p->up)
		r = channel_send(p->channel, w, fd);
	else if (fd >= 0)
		close(fd);
	wire_out_release(w);
	return r;
}
