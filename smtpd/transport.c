/*
 * transport: a connected stream socket. See transport.h. SIGPIPE is ignored in
 * every process of ours (common/process.c): OpenSSL writes without MSG_NOSIGNAL.
 */
#include "smtpd/transport.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

/* Replies to all that one read brings fit many times over; a session stops reading long before. */
#define OUT_MAX (1U << 20)

/* What an idle session may keep of it: room for the next reply, not for that to EHLO. */
#define OUT_KEEP 128

/* So often OpenSSL reads in one turn, some 16 KiB each: it does not stop by itself while something comes that is no data. */
#define TURN_READS 4

/* And so many messages of TLS itself, which are dear (new keys: RFC 8446 4.6.3), may be in them. */
#define TURN_MESSAGES 32

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

/* Before OpenSSL reads from the socket: is it to? */
static long
on_bio(BIO *b, int what, const char *p, size_t len, int argi, long argl, int r, size_t *done)
{
	struct transport *t = (void *)BIO_get_callback_arg(b);

	(void)p, (void)len, (void)argi, (void)argl, (void)done;
	if (what != BIO_CB_READ)
		return r;
	BIO_clear_retry_flags(b);
	if (t->flooded)
		return -1;
	if (t->reads == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	t->reads--;
	return r;
}

/* A message of TLS has come, or goes. */
static void
on_message(int out, int version, int type, const void *p, size_t len, SSL *ssl, void *arg)
{
	struct transport *t = arg;

	(void)version, (void)p, (void)len, (void)ssl;
	if (out == 0 && type == SSL3_RT_HANDSHAKE && ++t->messages > TURN_MESSAGES)
		t->flooded = true;
}

static void
begin_turn(struct transport *t)
{
	t->reads = TURN_READS;
	t->messages = 0;
}

void
transport_init(struct transport *t, struct event_base *base, int fd, SSL *ssl,
    const struct transport_ops *ops, void *arg)
{
	*t = (struct transport){.base = base, .fd = fd, .ssl = ssl, .ops = ops, .arg = arg};
	buf_init(&t->out, OUT_MAX);
	t->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, t);
	if (t->readable == NULL)
		fatalx("cannot watch a socket");
	if (ssl != NULL) {
		BIO_set_callback_arg(SSL_get_rbio(ssl), (char *)t);
		BIO_set_callback_ex(SSL_get_rbio(ssl), on_bio);
		SSL_set_msg_callback(ssl, on_message);
		SSL_set_msg_callback_arg(ssl, t);
	}
	transport_set_reading(t, true);
}

bool
transport_is_open(const struct transport *t)
{
	return t->readable != NULL;
}

static void
release_all_but_fd(struct transport *t)
{
	event_free(t->readable);
	if (t->writable != NULL)
		event_free(t->writable);
	buf_release(&t->out);
	t->readable = t->writable = NULL;
}

/* Tells the other side that this was all (RFC 8446 6.1). It is told once, and may not hear it. */
static void
say_end(struct transport *t)
{
	if (t->ssl == NULL || t->ended)
		return;
	ERR_clear_error();
	if (transport_backlog(t) == 0)
		(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
	t->ended = true;
}

void
transport_release(struct transport *t)
{
	if (!transport_is_open(t))
		return;
	say_end(t);
	SSL_free(t->ssl);
	t->ssl = NULL;
	release_all_but_fd(t);
	close(t->fd);
}

int
transport_take(struct transport *t)
{
	release_all_but_fd(t);
	return t->fd;
}

static ssize_t
read_clear(struct transport *t, void *p, size_t n)
{
	ssize_t r;

	do {
		r = recv(t->fd, p, n, 0);
	} while (r < 0 && errno == EINTR);
	return r;
}

/* The other side's end: 0 if it was announced, else -1. */
static ssize_t
end_of_tls(struct transport *t, int error)
{
	t->ended = true;
	ERR_clear_error();
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = ECONNRESET;
	return -1;
}

/* Record after record, as far as there is room for one more. */
static ssize_t
read_tls(struct transport *t, char *p, size_t n)
{
	size_t got = 0;

	begin_turn(t);
	while (n - got >= TRANSPORT_READ_MIN) {
		size_t more;
		int error;

		ERR_clear_error();
		if (SSL_read_ex(t->ssl, p + got, n - got, &more) == 1) {
			got += more;
			continue;
		}
		error = SSL_get_error(t->ssl, 0);
		if (got > 0 && error == SSL_ERROR_WANT_READ)
			return (ssize_t)got;
		if (got > 0)
			break; /* the end is told the next time */
		if (error != SSL_ERROR_WANT_READ)
			return end_of_tls(t, error);
		errno = EAGAIN;
		return -1;
	}
	/* What is in OpenSSL already makes no socket readable. */
	event_active(t->readable, EV_READ, 0);
	return (ssize_t)got;
}

ssize_t
transport_read(struct transport *t, void *p, size_t n)
{
	if (t->ssl == NULL || t->ended)
		return read_clear(t, p, n);
	return read_tls(t, p, n);
}

static void
await_room(struct transport *t)
{
	if (t->writable == NULL)
		t->writable = event_new(t->base, t->fd, EV_WRITE, on_writable, t);
	if (t->writable == NULL || event_add(t->writable, NULL) != 0)
		fatalx("cannot watch a socket");
}

static ssize_t
write_clear(struct transport *t, const void *p, size_t n)
{
	ssize_t r;

	do {
		r = send(t->fd, p, n, MSG_NOSIGNAL | (t->last ? MSG_MORE : 0));
	} while (r < 0 && errno == EINTR);
	return r;
}

static ssize_t
write_tls(struct transport *t, const void *p, size_t n)
{
	size_t put;

	if (t->ended) {
		errno = EPIPE;
		return -1;
	}
	ERR_clear_error();
	if (SSL_write_ex(t->ssl, p, n, &put) == 1)
		return (ssize_t)put;
	if (SSL_get_error(t->ssl, 0) == SSL_ERROR_WANT_WRITE) {
		errno = EAGAIN;
		return -1;
	}
	ERR_clear_error();
	t->ended = true;
	errno = EPIPE;
	return -1;
}

enum transport_result
transport_flush(struct transport *t)
{
	while (t->sent < t->out.len) {
		const char *p = t->out.p + t->sent;
		size_t left = t->out.len - t->sent;
		ssize_t n = t->ssl != NULL ? write_tls(t, p, left) : write_clear(t, p, left);

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

void
transport_set_last(struct transport *t)
{
	t->last = true;
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
	if (on && t->ssl != NULL && !t->ended && SSL_has_pending(t->ssl) == 1)
		event_active(t->readable, EV_READ, 0);
}

bool
transport_input_waiting(struct transport *t)
{
	char c;
	size_t n;

	if (t->ssl == NULL || t->ended)
		return recv(t->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
	ERR_clear_error();
	begin_turn(t);
	return SSL_peek_ex(t->ssl, &c, 1, &n) == 1 ||
	       SSL_get_error(t->ssl, 0) != SSL_ERROR_WANT_READ;
}

void
transport_end(struct transport *t)
{
	say_end(t);
	shutdown(t->fd, SHUT_WR);
}
