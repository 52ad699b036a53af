/*
 * stream: octets over TCP or TLS. See stream.h.
 *
 * Errors met while writing are told from the loop, never from within
 * stream_push, so that a caller in the middle of a command is not pulled the
 * rug from under. What the other side said before it closed is read first.
 */
#include "deliver/stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/xalloc.h"

#define READ_SIZE (16U << 10)

enum phase {
	PHASE_CONNECTING,
	PHASE_CLEAR,
	PHASE_HANDSHAKE,
	PHASE_SECURE,
	PHASE_CLOSED,
};

struct stream {
	struct event *readable, *writable, *broken;
	const struct stream_ops *ops;
	void *arg;
	SSL *ssl;
	enum phase phase;
	int fd;
	int depth; /* callbacks under way */
	bool doomed;
	bool waiting; /* output had to wait: on_drained is owed */
	struct buf in, out;
	size_t sent; /* octets at the beginning of out that have left */
	char why[160];
};

static void on_readable(evutil_socket_t, short, void *);
static void on_writable(evutil_socket_t, short, void *);
static void on_broken(evutil_socket_t, short, void *);

struct stream *
stream_new(struct event_base *base, int fd, const struct stream_ops *ops, void *arg)
{
	struct stream *s = xcalloc(1, sizeof *s);

	s->fd = fd;
	s->ops = ops;
	s->arg = arg;
	s->phase = PHASE_CLEAR;
	buf_init(&s->in, STREAM_IN_MAX + READ_SIZE);
	buf_init(&s->out, STREAM_OUT_MAX);
	s->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, s);
	s->writable = event_new(base, fd, EV_WRITE, on_writable, s);
	s->broken = event_new(base, -1, 0, on_broken, s);
	event_add(s->readable, NULL);
	return s;
}

struct stream *
stream_connect(
    struct event_base *base, const struct netaddr *to, const struct stream_ops *ops, void *arg)
{
	struct sockaddr_storage ss;
	socklen_t len = netaddr_to_sockaddr(to, &ss);
	struct stream *s;
	int on = 1, fd;

	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&ss, len) != 0 && errno != EINPROGRESS) {
		int error = errno;

		close(fd);
		errno = error;
		return NULL;
	}
	s = stream_new(base, fd, ops, arg);
	s->phase = PHASE_CONNECTING;
	event_del(s->readable);
	event_add(s->writable, NULL);
	return s;
}

static void
destroy(struct stream *s)
{
	if (s->ssl != NULL) {
		if (s->phase == PHASE_SECURE && s->out.len == 0) {
			ERR_clear_error();
			(void)SSL_shutdown(s->ssl);
		}
		SSL_free(s->ssl);
		ERR_clear_error();
	}
	event_free(s->readable);
	event_free(s->writable);
	event_free(s->broken);
	close(s->fd);
	buf_release(&s->in);
	buf_release(&s->out);
	free(s);
}

void
stream_free(struct stream **sp)
{
	struct stream *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	if (s->depth > 0) {
		s->doomed = true;
		event_del(s->readable);
		event_del(s->writable);
		event_del(s->broken);
	} else {
		destroy(s);
	}
}

/* Runs a callback; true if the stream is gone or closed after it. */
static bool
tell(struct stream *s, void (*fn)(struct stream *, void *))
{
	if (s->doomed || s->phase == PHASE_CLOSED)
		return true;
	s->depth++;
	fn(s, s->arg);
	if (--s->depth == 0 && s->doomed) {
		destroy(s);
		return true;
	}
	return s->doomed || s->phase == PHASE_CLOSED;
}

/* The end. Called from the loop only. */
static void
fail(struct stream *s, const char *why)
{
	if (s->phase == PHASE_CLOSED || s->doomed)
		return;
	event_del(s->readable);
	event_del(s->writable);
	event_del(s->broken);
	s->phase = PHASE_CLOSED;
	s->depth++;
	s->ops->on_closed(s, why, s->arg);
	if (--s->depth == 0 && s->doomed)
		destroy(s);
}

/* --- one read, one write, through TLS or not: octets, 0 for "later", -1 for the end (why is set) --- */

static int
tls_result(struct stream *s, int r)
{
	int error = SSL_get_error(s->ssl, r);

	switch (error) {
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_WANT_WRITE:
		event_add(s->writable, NULL);
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		snprintf(s->why, sizeof s->why, "the server closed the connection");
		return -1;
	default:
		if (error == SSL_ERROR_SYSCALL && ERR_peek_error() == 0)
			snprintf(s->why, sizeof s->why, "%s",
			    errno != 0 ? strerror(errno) : "the server closed the connection");
		else
			snprintf(s->why, sizeof s->why, "TLS: %s",
			    ERR_reason_error_string(ERR_peek_error()) != NULL
				? ERR_reason_error_string(ERR_peek_error())
				: "unknown error");
		ERR_clear_error();
		return -1;
	}
}

static ssize_t
read_some(struct stream *s, void *p, size_t n)
{
	ssize_t r;

	if (s->phase == PHASE_SECURE) {
		int got;

		ERR_clear_error();
		errno = 0;
		got = SSL_read(s->ssl, p, (int)n);
		return got > 0 ? got : tls_result(s, got);
	}
	do {
		r = recv(s->fd, p, n, 0);
	} while (r < 0 && errno == EINTR);
	if (r > 0)
		return r;
	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	snprintf(s->why, sizeof s->why, "%s",
	    r == 0 ? "the server closed the connection" : strerror(errno));
	return -1;
}

static ssize_t
write_some(struct stream *s, const void *p, size_t n)
{
	ssize_t r;

	if (s->phase == PHASE_SECURE) {
		int put;

		ERR_clear_error();
		errno = 0;
		put = SSL_write(s->ssl, p, n > INT32_MAX ? INT32_MAX : (int)n);
		return put > 0 ? put : tls_result(s, put);
	}
	do {
		r = send(s->fd, p, n, MSG_NOSIGNAL);
	} while (r < 0 && errno == EINTR);
	if (r >= 0)
		return r;
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		event_add(s->writable, NULL);
		return 0;
	}
	snprintf(s->why, sizeof s->why, "%s", strerror(errno));
	return -1;
}

/* --- events --- */

/* Reads what is there, without handing it out. False at the end of the stream. */
static bool
fill(struct stream *s)
{
	while (s->in.len < STREAM_IN_MAX) {
		ssize_t n;

		if (buf_reserve(&s->in, READ_SIZE) != 0)
			return true;
		n = read_some(s, s->in.p + s->in.len, READ_SIZE);
		if (n < 0)
			return false;
		if (n == 0)
			return true;
		s->in.len += (size_t)n;
		s->in.p[s->in.len] = '\0';
		/* In clear a short read was all there is; TLS may hold another record. */
		if (s->phase == PHASE_CLEAR && (size_t)n < READ_SIZE)
			return true;
	}
	return true;
}

static void
read_and_tell(struct stream *s)
{
	bool open = fill(s);

	if (s->in.len > 0 && tell(s, s->ops->on_readable))
		return;
	if (!open) {
		fail(s, s->why);
		return;
	}
	if (s->in.len >= STREAM_IN_MAX)
		fail(s, "the server says more than it was asked");
	else if (s->in.len == 0 && s->in.cap > READ_SIZE * 2)
		buf_release(&s->in);
}

static void
handshake(struct stream *s)
{
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(s->ssl);
	if (r != 1) {
		if (tls_result(s, r) != 0)
			fail(s, s->why);
		return;
	}
	s->phase = PHASE_SECURE;
	if (!tell(s, s->ops->on_secure))
		read_and_tell(s); /* what came with the last octets of the handshake */
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd, (void)what;
	if (s->phase == PHASE_HANDSHAKE)
		handshake(s);
	else
		read_and_tell(s);
}

static void
finish_connect(struct stream *s)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		fail(s, strerror(error));
		return;
	}
	s->phase = PHASE_CLEAR;
	event_add(s->readable, NULL);
	tell(s, s->ops->on_connected);
}

/* Sends what there is. False if the stream is broken (the event that tells it is active). */
static bool
push(struct stream *s)
{
	while (s->sent < s->out.len) {
		ssize_t n = write_some(s, s->out.p + s->sent, s->out.len - s->sent);

		if (n < 0) {
			event_active(s->broken, EV_TIMEOUT, 0);
			return false;
		}
		if (n == 0)
			break;
		s->sent += (size_t)n;
	}
	if (s->sent == s->out.len) {
		buf_clear(&s->out);
		if (s->out.cap > STREAM_OUT_WANT * 4)
			buf_release(&s->out);
		s->sent = 0;
	} else {
		s->waiting = true;
		buf_drop(&s->out, s->sent);
		s->sent = 0;
	}
	return true;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd, (void)what;
	if (s->phase == PHASE_CONNECTING) {
		finish_connect(s);
		return;
	}
	if (s->phase == PHASE_HANDSHAKE) {
		handshake(s);
		return;
	}
	if (!push(s))
		return;
	if (s->waiting && stream_backlog(s) < STREAM_OUT_WANT) {
		s->waiting = false;
		if (tell(s, s->ops->on_drained))
			return;
	}
	if (s->phase == PHASE_SECURE && SSL_pending(s->ssl) > 0)
		read_and_tell(s);
}

/* Writing failed. The server may have said why before it closed. */
static void
on_broken(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	char why[sizeof s->why];

	(void)fd, (void)what;
	memcpy(why, s->why, sizeof why);
	if (s->phase != PHASE_HANDSHAKE)
		(void)fill(s);
	if (s->in.len > 0 && tell(s, s->ops->on_readable))
		return;
	fail(s, why);
}

/* --- for the owner --- */

struct buf *
stream_in(struct stream *s)
{
	return &s->in;
}

struct buf *
stream_out(struct stream *s)
{
	return &s->out;
}

void
stream_push(struct stream *s)
{
	if (s->phase == PHASE_CLEAR || s->phase == PHASE_SECURE)
		(void)push(s);
}

size_t
stream_backlog(const struct stream *s)
{
	return s->out.len - s->sent;
}

int
stream_start_tls(struct stream *s, SSL *ssl)
{
	char octet;

	if (s->in.len > 0 || recv(s->fd, &octet, 1, MSG_PEEK) > 0) {
		SSL_free(ssl);
		return -1;
	}
	s->ssl = ssl;
	s->phase = PHASE_HANDSHAKE;
	SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_connect_state(ssl);
	if (SSL_set_fd(ssl, s->fd) != 1) {
		snprintf(s->why, sizeof s->why, "TLS: cannot begin");
		event_active(s->broken, EV_TIMEOUT, 0);
		return 0;
	}
	event_add(s->writable, NULL); /* the loop begins the handshake */
	return 0;
}

bool
stream_is_secure(const struct stream *s)
{
	return s->phase == PHASE_SECURE;
}
