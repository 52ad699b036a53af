/*
 * channel: frames over a Unix stream socket. See channel.h.
 *
 * Output is one buffer plus a list of descriptors with the offset at which each
 * must leave: a sendmsg never spans two messages with descriptors, so that they
 * arrive with, and never after, the frame that names them.
 */
#include "common/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/passfd.h"
#include "common/xalloc.h"

#define READ_SIZE   (128U << 10)
#define BACKLOG_MAX (256U << 20)
#define PENDING_MAX 64

struct pending_fd {
	int fd;
	size_t at; /* offset in out at which its frame begins */
};

struct channel {
	struct event *readable, *writable, *flush;
	const struct channel_ops *ops;
	void *arg;
	int fd;
	int closed; /* on_close was called or the channel was freed */
	int depth;  /* callbacks under way: free is put off until they return */
	int doomed;
	struct buf in, out;
	size_t sent; /* octets at the beginning of out that have left */
	struct pending_fd sendq[PENDING_MAX];
	size_t nsend;
	int recvq[PENDING_MAX];
	size_t nrecv;
	struct wire_fields fields;
};

static void on_readable(evutil_socket_t, short, void *);
static void on_writable(evutil_socket_t, short, void *);

struct channel *
channel_new(struct event_base *base, int fd, const struct channel_ops *ops, void *arg)
{
	struct channel *c = xcalloc(1, sizeof *c);

	evutil_make_socket_nonblocking(fd);
	evutil_make_socket_closeonexec(fd);
	c->fd = fd;
	c->ops = ops;
	c->arg = arg;
	buf_init(&c->in, WIRE_HEADER_SIZE + WIRE_TEXT_MAX + WIRE_PAYLOAD_MAX + READ_SIZE);
	buf_init(&c->out, BACKLOG_MAX);
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(base, fd, EV_WRITE, on_writable, c);
	c->flush = event_new(base, -1, 0, on_writable, c);
	event_add(c->readable, NULL);
	return c;
}

void
channel_keep_nothing(struct channel *c)
{
	c->in.secret = c->out.secret = true;
}

static void
destroy(struct channel *c)
{
	event_free(c->readable);
	event_free(c->writable);
	event_free(c->flush);
	for (size_t i = 0; i < c->nsend; i++)
		close(c->sendq[i].fd);
	for (size_t i = 0; i < c->nrecv; i++)
		close(c->recvq[i]);
	if (c->fd >= 0)
		close(c->fd);
	buf_release(&c->in);
	buf_release(&c->out);
	wire_fields_release(&c->fields);
	free(c);
}

void
channel_free(struct channel **cp)
{
	struct channel *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	c->closed = 1;
	if (c->depth > 0)
		c->doomed = 1;
	else
		destroy(c);
}

static void
enter(struct channel *c)
{
	c->depth++;
}

/* True if the channel was freed in the callback and is no more. */
static int
leave(struct channel *c)
{
	if (--c->depth == 0 && c->doomed) {
		destroy(c);
		return 1;
	}
	return 0;
}

static void
fail(struct channel *c, const char *why)
{
	if (c->closed)
		return;
	c->closed = 1;
	event_del(c->readable);
	event_del(c->writable);
	event_del(c->flush);
	enter(c);
	c->ops->on_close(c, why, c->arg);
	leave(c);
}

int
channel_send(struct channel *c, const struct wire_out *w, int fd)
{
	unsigned char header[WIRE_HEADER_SIZE];
	size_t total = WIRE_HEADER_SIZE + w->text.len + w->payload.len;

	if (c->closed || wire_header(w, fd >= 0 ? 1 : 0, header) != 0 ||
	    (fd >= 0 && c->nsend == PENDING_MAX) || buf_reserve(&c->out, total) != 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (fd >= 0)
		c->sendq[c->nsend++] = (struct pending_fd){fd, c->out.len};
	buf_add(&c->out, header, sizeof header);
	buf_add_span(&c->out, buf_span(&w->text));
	buf_add_span(&c->out, w->payload);
	if (!event_pending(c->writable, EV_WRITE, NULL))
		event_active(c->flush, EV_WRITE, 0);
	return 0;
}

size_t
channel_backlog(const struct channel *c)
{
	return c->out.len - c->sent;
}

/* How much may leave in one call: up to the next frame that carries a descriptor. */
static ssize_t
send_some(struct channel *c)
{
	union passfd_control control;
	struct iovec iov = {c->out.p + c->sent, c->out.len - c->sent};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	int with_fd = c->nsend > 0 && c->sendq[0].at == c->sent;
	size_t next = with_fd ? 1 : 0;
	ssize_t n;

	if (with_fd)
		passfd_attach(&h, &control, c->sendq[0].fd);
	if (next < c->nsend)
		iov.iov_len = c->sendq[next].at - c->sent;
	n = sendmsg(c->fd, &h, MSG_NOSIGNAL);
	if (n > 0 && with_fd) {
		close(c->sendq[0].fd);
		c->nsend--;
		memmove(c->sendq, c->sendq + 1, c->nsend * sizeof *c->sendq);
	}
	return n;
}

/* Returns 0 when all has left or the kernel is full, -1 when the channel is dead. */
static int
push_out(struct channel *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send_some(c);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			event_add(c->writable, NULL);
			break;
		}
		if (n < 0)
			return -1;
		c->sent += (size_t)n;
	}
	if (c->sent == c->out.len) {
		buf_clear(&c->out);
		if (c->out.cap > (1U << 20))
			buf_release(&c->out);
		c->sent = 0;
	} else if (c->sent > (4U << 20)) {
		for (size_t i = 0; i < c->nsend; i++)
			c->sendq[i].at -= c->sent;
		buf_drop(&c->out, c->sent);
		c->sent = 0;
	}
	return 0;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;

	(void)fd, (void)what;
	if (c->closed)
		return;
	if (push_out(c) != 0) {
		fail(c, "the other side is gone");
		return;
	}
	if (c->out.len == 0 && c->ops->on_drained != NULL) {
		enter(c);
		c->ops->on_drained(c, c->arg);
		leave(c);
	}
}

void
channel_flush(struct channel *c)
{
	if (!c->closed)
		(void)push_out(c);
}

void
channel_pause(struct channel *c)
{
	if (!c->closed)
		event_del(c->readable);
}

void
channel_resume(struct channel *c)
{
	if (!c->closed) {
		event_add(c->readable, NULL);
		if (c->in.len > 0)
			event_active(c->readable, EV_READ, 0);
	}
}

static ssize_t
receive(struct channel *c)
{
	union passfd_control control;
	struct iovec iov;
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (buf_reserve(&c->in, READ_SIZE) != 0) {
		errno = EMSGSIZE;
		return -1;
	}
	iov = (struct iovec){c->in.p + c->in.len, READ_SIZE};
	passfd_expect(&h, &control);
	do {
		n = recvmsg(c->fd, &h, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		c->in.len += (size_t)n;
		c->in.p[c->in.len] = '\0';
	}
	if (n >= 0 && passfd_take(&h, c->recvq, &c->nrecv, PENDING_MAX) != 0) {
		errno = EPROTO;
		return -1;
	}
	return n;
}

/* Hands over the frame at *at. 1: handed over; 0: not whole yet; -1: malformed; -2: the channel is gone. */
static int
take_frame(struct channel *c, size_t *at)
{
	size_t have = c->in.len - *at, text_len, payload_len, nfds, whole;
	char *p = c->in.p + *at;
	struct wire_msg m;
	int gone;

	if (have < WIRE_HEADER_SIZE)
		return 0;
	if (wire_header_parse((unsigned char *)p, &text_len, &payload_len, &nfds) != 0)
		return -1;
	whole = WIRE_HEADER_SIZE + text_len + payload_len;
	if (have < whole)
		return 0;
	if (nfds > c->nrecv || wire_parse(p + WIRE_HEADER_SIZE, text_len, &c->fields, &m) != 0)
		return -1;
	m.payload = span_make(p + WIRE_HEADER_SIZE + text_len, payload_len);
	m.nfds = nfds;
	memcpy(m.fds, c->recvq, nfds * sizeof *m.fds);
	c->nrecv -= nfds;
	memmove(c->recvq, c->recvq + nfds, c->nrecv * sizeof *c->recvq);
	*at += whole;
	enter(c);
	c->ops->on_message(c, &m, c->arg);
	for (size_t i = 0; i < m.nfds; i++)
		if (m.fds[i] >= 0)
			close(m.fds[i]);
	gone = c->closed;
	return leave(c) || gone ? -2 : 1;
}

/* Does a frame that a pause held back wait to be handed over? Nothing more is read until then. */
static bool
has_frame(const struct channel *c)
{
	size_t text_len, payload_len, nfds;

	return c->in.len >= WIRE_HEADER_SIZE &&
	       (wire_header_parse(
		    (const unsigned char *)c->in.p, &text_len, &payload_len, &nfds) != 0 ||
		   c->in.len >= WIRE_HEADER_SIZE + text_len + payload_len);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;
	ssize_t n = has_frame(c) ? 1 : receive(c);
	size_t at = 0;
	int r;

	(void)fd, (void)what;
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
		fail(c, errno == EPROTO ? "more descriptors than announced" : strerror(errno));
		return;
	}
	enter(c);
	if (c->ops->on_batch != NULL && has_frame(c))
		c->ops->on_batch(c, c->arg);
	while ((r = take_frame(c, &at)) == 1)
		if (!event_pending(c->readable, EV_READ, NULL))
			break; /* paused in the callback */
	if (!c->closed) {
		buf_drop(&c->in, at);
		if (c->in.len == 0 && c->in.cap > (1U << 20))
			buf_release(&c->in);
	}
	if (r == -1)
		fail(c, "malformed message");
	else if (n == 0 &&
		 r == 0) /* not while a pause holds frames back: it is read again then */
		fail(c, "the other side is gone");
	leave(c);
}
