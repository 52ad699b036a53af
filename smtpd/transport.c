/* transport: a connected stream socket. See transport.h. */
#include "smtpd/transport.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

/* Replies to all that one read brings fit many times over; a session stops reading long before. */
#define OUT_MAX (1U << 20)

/* What an idle session may keep of it. */
#define OUT_KEEP 512

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct transport *t = arg;

	(void)fd, (void)what;
	t->ops->on_readable(t->arg);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct transport *t = arg;

	(void)fd, (void)what;
	t->ops->on_writable(t->arg);
}

void
transport_init(struct transport *t, struct event_base *base, int fd,
    const struct transport_ops *ops, void *arg)
{
	*t = (struct transport){.base = base, .fd = fd, .ops = ops, .arg = arg};
	buf_init(&t->out, OUT_MAX);
	t->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, t);
	if (t->readable == NULL)
		fatalx("cannot watch a socket");
	transport_set_reading(t, true);
}

void
transport_release(struct transport *t)
{
	event_free(t->readable);
	if (t->writable != NULL)
		event_free(t->writable);
	buf_release(&t->out);
	close(t->fd);
}

ssize_t
transport_read(struct transport *t, void *p, size_t n)
{
	ssize_t r;

	do {
		r = recv(t->fd, p, n, 0);
	} while (r < 0 && errno == EINTR);
	return r;
}

static void
await_room(struct transport *t)
{
	if (t->writable == NULL)
		t->writable = event_new(t->base, t->fd, EV_WRITE, on_writable, t);
	if (t->writable == NULL || event_add(t->writable, NULL) != 0)
		fatalx("cannot watch a socket");
}

enum transport_result
transport_flush(struct transport *t)
{
	while (t->sent < t->out.len) {
		ssize_t n = send(t->fd, t->out.p + t->sent, t->out.len - t->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			await_room(t);
			return TRANSPORT_LEFT;
		}
		if (n < 0)
			return TRANSPORT_GONE;
		t->sent += (size_t)n;
	}
	t->sent = 0;
	if (t->out.cap > OUT_KEEP)
		buf_release(&t->out);
	else
		buf_clear(&t->out);
	return TRANSPORT_ALL;
}

size_t
transport_backlog(const struct transport *t)
{
	return t->out.len - t->sent;
}

void
transport_set_reading(struct transport *t, bool on)
{
	if (on == t->reading)
		return;
	t->reading = on;
	if ((on ? event_add(t->readable, NULL) : event_del(t->readable)) != 0)
		fatalx("cannot watch a socket");
}

bool
transport_input_waiting(const struct transport *t)
{
	char c;

	return recv(t->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

void
transport_end(struct transport *t)
{
	shutdown(t->fd, SHUT_WR);
}
