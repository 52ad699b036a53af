/*
 * smtpd_client: the client of a session under test, over a socket pair: it writes, lets the session
 * and the fakes work, and checks every line that comes back. Used by test_dialogues.c, test_session.c and
 * test_session_tls.c, which speaks TLS over it.
 */
#ifndef TESTS_UNIT_SMTPD_CLIENT_H
#define TESTS_UNIT_SMTPD_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <openssl/ssl.h>

#include "common/limits.h"
#include "tests/unit/escapes.h"
#include "tests/unit/smtpd_fake.h"

#define E "EHLO c.test\\r\\n"
#define H "HELO c.test\\r\\n"
#define M "MAIL FROM:<s@remote.test>\\r\\n"
#define R "RCPT TO:<alice@a.test>\\r\\n"
#define D "DATA\\r\\n"
#define B "Subject: t\\r\\n\\r\\nhello\\r\\n.\\r\\n"
#define Q "QUIT\\r\\n"

#define ROWS(a) (sizeof(a) / sizeof *(a))

struct client {
	struct fake fake;
	int fd;
	SSL *ssl; /* NULL: in clear */
	bool closed;
	char replies[1 << 16]; /* codes, separated by commas, `!` behind the last if closed */
	char last[1024];       /* the last line of the last reply */
	struct buf got;
	size_t left;   /* of input that was read and not used, when somebody looked */
	bool cuts_off; /* who looks ends the session */
};

static inline void
client_open(struct client *c, const struct session_origin *origin)
{
	memset(c, 0, sizeof *c);
	buf_init(&c->got, 1U << 20);
	fake_init(&c->fake);
	c->fd = fake_connect(&c->fake, origin);
	fake_run(&c->fake);
}

static inline void
client_close(struct client *c)
{
	close(c->fd);
	fake_run(&c->fake);
	assert_int_equal(c->fake.large_open, 0);
	assert_int_equal(c->fake.server.nsessions, 0);
	assert_int_equal(c->fake.server.budget.used, 0);
	fake_release(&c->fake);
	buf_release(&c->got);
}

/* RFC 5321 4.2, RFC 2034 4: what holds for every line. */
static inline void
check_line(struct span line)
{
	assert_in_range(line.len, 4, REPLY_LINE_MAX - 2);
	assert_in_range(line.p[0], '2', '5');
	assert_in_range(line.p[1], '0', '5');
	assert_in_range(line.p[2], '0', '9');
	assert_true(line.p[3] == ' ' || line.p[3] == '-');
	for (size_t i = 0; i < line.len; i++)
		assert_in_range((unsigned char)line.p[i], 0x20, 0x7e);
	if (line.p[0] == '4' || line.p[0] == '5')
		assert_true(line.len > 9 && line.p[4] == line.p[0] && line.p[5] == '.');
}

/* As recv and send, through TLS or not; an end that was not announced is an error. */
static inline ssize_t
client_receive(struct client *c, char *p, size_t n)
{
	int r;

	if (c->ssl == NULL)
		return recv(c->fd, p, n, 0);
	r = SSL_read(c->ssl, p, (int)n);
	return r > 0 ? r : SSL_get_error(c->ssl, r) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static inline ssize_t
client_send_some(struct client *c, const char *p, size_t n)
{
	int r;

	if (c->ssl == NULL)
		return send(c->fd, p, n, MSG_NOSIGNAL);
	r = SSL_write(c->ssl, p, (int)n);
	if (r <= 0)
		errno = SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
	return r > 0 ? r : -1;
}

static inline void
client_read(struct client *c)
{
	char block[4096];
	struct span rest, line;
	ssize_t n;

	while ((n = client_receive(c, block, sizeof block)) > 0) {
		buf_add(&c->got, block, (size_t)n);
		fake_run(&c->fake);
	}
	if (n == 0)
		c->closed = true;
	c->replies[0] = '\0';
	for (rest = buf_span(&c->got); rest.len > 0;) {
		size_t len = strlen(c->replies);

		assert_true(span_index(rest, '\n') > 0);
		line = span_cut(&rest, '\n');
		assert_int_equal(line.p[line.len - 1], '\r');
		line.len--;
		check_line(line);
		if (line.p[3] == ' ') {
			snprintf(c->replies + len, sizeof c->replies - len, "%s%.3s",
			    len > 0 ? "," : "", line.p);
			snprintf(c->last, sizeof c->last, "%.*s", SPAN_ARG(line));
		}
	}
	if (c->closed)
		snprintf(c->replies + strlen(c->replies), 2, "!");
	buf_clear(&c->got);
}

/* Writes, in pieces, and collects what comes back. */
static inline const char *
client_say(struct client *c, struct span out, size_t piece)
{
	while (out.len > 0) {
		struct span part = span_first(out, piece);
		ssize_t n = client_send_some(c, part.p, part.len);

		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			break;
		if (n > 0)
			out = span_skip(out, (size_t)n);
		fake_run(&c->fake);
	}
	fake_run(&c->fake);
	client_read(c);
	return c->replies;
}

static inline const char *
say(struct client *c, const char *text)
{
	struct buf out;

	buf_init(&out, 8U << 20);
	assert_true(escapes_expand(span_str(text), &out));
	client_say(c, buf_span(&out), out.len + 1);
	buf_release(&out);
	return c->replies;
}

#endif
