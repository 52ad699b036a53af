/*
 * smtp_server: the other end of an SMTP connection in a unit test: a script of what
 * the client must say, octet by octet, and what it hears. Included by the tests of
 * smtp_client, and of what stands on it.
 */
#ifndef TESTS_UNIT_SMTP_SERVER_H
#define TESTS_UNIT_SMTP_SERVER_H

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/testing.h"

#define SMTP_SERVER_STEPS 24

/* What to do instead of answering. */
#define SERVER_CLOSE "\001close"
#define SERVER_RESET "\001reset"

struct smtp_step {
	const char *want;  /* from the client, exactly; "" for the greeting */
	const char *reply; /* or one of the above */
};

struct smtp_server {
	int fd;
	struct event *readable;
	const struct smtp_step *step; /* ends with want NULL */
	bool bytewise;		      /* replies leave one octet at a time */
	int done;		      /* the script is at its end */
	char got[1 << 22];
	size_t len;
};

static inline void
smtp_server_send(struct smtp_server *s, const char *text)
{
	size_t n = strlen(text), piece = s->bytewise ? 1 : n;

	for (size_t at = 0; at < n; at += piece)
		assert_int_equal(send(s->fd, text + at, piece, MSG_NOSIGNAL), piece);
}

static inline void
smtp_server_end(struct smtp_server *s)
{
	if (s->fd < 0)
		return;
	event_free(s->readable);
	close(s->fd);
	s->fd = -1;
}

/* Goes as far in the script as what was said allows. */
static inline void
smtp_server_run(struct smtp_server *s)
{
	while (s->step->want != NULL) {
		size_t n = strlen(s->step->want), common = n < s->len ? n : s->len;

		if (memcmp(s->got, s->step->want, common) != 0)
			fail_msg("the client said \"%.*s\", want \"%s\"", (int)s->len, s->got,
			    s->step->want);
		if (common < n)
			return;
		memmove(s->got, s->got + n, s->len - n);
		s->len -= n;
		if (strcmp(s->step->reply, SERVER_RESET) == 0) {
			struct linger l = {1, 0};

			setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
		}
		if (s->step->reply[0] == '\001')
			smtp_server_end(s);
		else
			smtp_server_send(s, s->step->reply);
		s->step++;
		if (s->fd < 0)
			break;
	}
	s->done++;
}

static inline void
smtp_server_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct smtp_server *s = arg;
	ssize_t n = recv(fd, s->got + s->len, sizeof s->got - s->len, MSG_DONTWAIT);

	(void)what;
	if (n > 0) {
		s->len += (size_t)n;
		smtp_server_run(s);
	} else if (n == 0 || errno != EAGAIN) {
		smtp_server_end(s);
	}
}

/* Starts a script; returns the client's end, non-blocking. */
static inline int
smtp_server_init(struct smtp_server *s, struct event_base *base, const struct smtp_step *script,
    bool bytewise)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(fcntl(sv[0], F_SETFL, O_NONBLOCK), 0);
	s->fd = sv[1];
	s->step = script;
	s->bytewise = bytewise;
	s->done = 0;
	s->len = 0;
	s->readable = event_new(base, s->fd, EV_READ | EV_PERSIST, smtp_server_on_readable, s);
	event_add(s->readable, NULL);
	smtp_server_run(s);
	return sv[0];
}

#endif
