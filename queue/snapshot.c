/*
 * snapshot: answers from a frozen copy of memory. See snapshot.h. Called by control.
 * Invariant: the parent never waits for a child, and never for a reader.
 */
#include "queue/snapshot.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/forked.h"
#include "common/log.h"
#include "common/xalloc.h"

#define REAP_MS 200

struct child {
	pid_t pid; /* 0: a free place */
	uint64_t until_ms;
};

struct snapshot_set {
	struct event_base *base;
	struct snapshot_limits limits;
	struct event *reaper;
	struct child *children; /* limits.children of them */
};

struct snapshot_out {
	const struct snapshot_limits *limits;
	uint64_t until_ms;
	int fd;
	bool ended;
	struct wire_out w; /* the frame being filled */
};

static void
arm(struct snapshot_set *s)
{
	if (!event_pending(s->reaper, EV_TIMEOUT, NULL))
		event_add(s->reaper, &(struct timeval){0, REAP_MS * 1000});
}

/* Forgets the children that have ended, and ends those whose time is over. */
static unsigned
reap(struct snapshot_set *s)
{
	uint64_t now = clock_mono_ms();
	unsigned alive = 0;

	for (unsigned i = 0; i < s->limits.children; i++) {
		struct child *c = &s->children[i];
		int status = 0;

		if (c->pid == 0)
			continue;
		if (waitpid(c->pid, &status, WNOHANG) != 0) {
			c->pid = 0;
			continue;
		}
		if (now > c->until_ms)
			kill(c->pid, SIGKILL);
		alive++;
	}
	return alive;
}

static void
on_reap(evutil_socket_t fd, short what, void *arg)
{
	struct snapshot_set *s = arg;

	(void)fd, (void)what;
	if (reap(s) > 0)
		arm(s);
}

struct snapshot_set *
snapshot_set_new(struct event_base *base, const struct snapshot_limits *limits)
{
	struct snapshot_set *s = xcalloc(1, sizeof *s);

	s->base = base;
	s->limits = *limits;
	s->children = xcalloc(limits->children, sizeof *s->children);
	s->reaper = evtimer_new(base, on_reap, s);
	return s;
}

void
snapshot_set_free(struct snapshot_set **sp)
{
	struct snapshot_set *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	for (unsigned i = 0; i < s->limits.children; i++) {
		if (s->children[i].pid == 0)
			continue;
		kill(s->children[i].pid, SIGKILL);
		(void)waitpid(s->children[i].pid, NULL, 0);
	}
	event_free(s->reaper);
	free(s->children);
	free(s);
}

unsigned
snapshot_count(struct snapshot_set *s)
{
	return reap(s);
}

/* In the child from here on. */

/* SIGALRM ends the child when the reader takes nothing for too long, or the time is over. */
static void
set_alarm(const struct snapshot_out *o)
{
	uint64_t now = clock_mono_ms(), left;

	if (now >= o->until_ms)
		_exit(1);
	left = (o->until_ms - now + 999) / 1000;
	alarm(left < o->limits->stall ? (unsigned)left : o->limits->stall);
}

static void
write_all(const struct snapshot_out *o, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t sent;

		set_alarm(o);
		sent = send(o->fd, at, n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			_exit(1); /* the reader is gone */
		at += sent;
		n -= (size_t)sent;
	}
}

static void
send_frame(struct snapshot_out *o)
{
	unsigned char header[WIRE_HEADER_SIZE];

	if (wire_header(&o->w, 0, header) != 0) {
		log_warnx("snapshot: a part is too long for a frame");
		_exit(1);
	}
	write_all(o, header, sizeof header);
	write_all(o, o->w.text.p, o->w.text.len);
	wire_out_release(&o->w);
}

size_t
snapshot_part_size(const struct snapshot_out *o)
{
	return o->w.text.len;
}

struct wire_out *
snapshot_part(struct snapshot_out *o)
{
	if (o->w.text.len > SNAPSHOT_PART_FULL) {
		send_frame(o);
		wire_out_init(&o->w, "part", 0);
	}
	return &o->w;
}

struct wire_out *
snapshot_end(struct snapshot_out *o)
{
	if (!o->ended) {
		send_frame(o);
		wire_out_init(&o->w, "end", 0);
		o->ended = true;
	}
	return &o->w;
}

static void
run_child(
    const struct snapshot_set *s, int fd, pid_t parent, snapshot_write_fn *write_fn, void *arg)
{
	struct snapshot_out o = {.limits = &s->limits,
	    .until_ms = clock_mono_ms() + (uint64_t)s->limits.limit * 1000,
	    .fd = fd};

	forked_begin(parent, &fd, 1);
	set_alarm(&o);
	wire_out_init(&o.w, "part", 0);
	write_fn(&o, arg);
	(void)snapshot_end(&o);
	send_frame(&o);
}

int
snapshot_begin(struct snapshot_set *s, snapshot_write_fn *write_fn, void *arg)
{
	struct child *place = NULL;
	pid_t parent = getpid();
	int ends[2], error;

	(void)reap(s);
	for (unsigned i = 0; i < s->limits.children && place == NULL; i++)
		if (s->children[i].pid == 0)
			place = &s->children[i];
	if (place == NULL) {
		errno = EAGAIN;
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -1;
	place->pid = fork();
	if (place->pid == 0) {
		run_child(s, ends[1], parent, write_fn, arg);
		_exit(0);
	}
	error = errno;
	close(ends[1]);
	if (place->pid < 0) {
		place->pid = 0;
		close(ends[0]);
		errno = error;
		return -1;
	}
	/* The child's own clocks come first; ours is for one that is stuck. */
	place->until_ms = clock_mono_ms() + ((uint64_t)s->limits.limit + 5) * 1000;
	arm(s);
	return ends[0];
}
