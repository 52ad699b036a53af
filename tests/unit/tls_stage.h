/*
 * tls_stage: a server's TLS with a source of certificates that the test holds, and whole handshakes with
 * it. Used by test_tls.c and test_tls_trust.c.
 */
#ifndef TESTS_UNIT_TLS_STAGE_H
#define TESTS_UNIT_TLS_STAGE_H

#include "smtpd/tls.h"

#include "common/log.h"
#include "tests/unit/testing.h"
#include "tests/unit/tls_fake.h"

static uint64_t now_ms = 1000;

static inline uint64_t
test_clock(void)
{
	return now_ms;
}

struct stage {
	struct event_base *base;
	struct tls_fake fake;
	struct tls *tls;
	/* of the last handshake */
	int done;
	struct tls_result result;
	char why[160];
	char *subject;
};

static inline void
on_done(const struct tls_result *r, void *arg)
{
	struct stage *s = arg;

	s->done++;
	s->result = *r;
	snprintf(s->why, sizeof s->why, "%s", r->why != NULL ? r->why : "");
}

static inline void
stage_init_two(struct stage *s, struct certificate *c, struct certificate *second_certificate)
{
	memset(s, 0, sizeof *s);
	s->base = event_base_new();
	s->fake.first = c;
	s->fake.second = second_certificate;
	s->fake.with_tickets = true;
	ticket_keys_make(s->fake.tickets);
	s->tls = tls_new(s->base, &tls_fake_ops, &s->fake, test_clock);
	assert_int_equal(tls_configure(s->tls, "mx.test",
			     &(struct tls_rules){.client_ca = (struct span){NULL, 0}}),
	    0);
}

static inline void
stage_init(struct stage *s, struct certificate *c)
{
	stage_init_two(s, c, NULL);
}

static inline void
result_release(struct stage *s)
{
	if (s->result.ssl != NULL) {
		SSL_free(s->result.ssl);
		close(s->result.fd);
	}
	tls_info_free(&s->result.info);
	memset(&s->result, 0, sizeof s->result);
}

static inline void
stage_release(struct stage *s)
{
	result_release(s);
	tls_free(&s->tls);
	event_base_free(s->base);
}

static inline void
pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

/* Lets both sides work until the server is done and the client as well, or one has failed. 0 if both succeeded. */
static inline int
run(struct stage *s, struct tls_peer *p)
{
	uint64_t end = clock_mono_ms() + 5000;
	int before = s->done, client = 0;

	while ((s->done == before || client == 0) && clock_mono_ms() < end) {
		if (client == 0)
			client = tls_peer_step(p);
		event_base_loop(s->base, EVLOOP_NONBLOCK);
		tls_fake_answer(&s->fake);
		if (client < 0 && s->done == before)
			shutdown(p->fd, SHUT_WR);
		if (client == 0 && s->done > before && s->result.ssl == NULL)
			client = tls_peer_step(p) == 1 ? 0 : -1;
		nanosleep(&(struct timespec){0, 100000}, NULL);
	}
	assert_int_equal(s->done, before + 1);
	return client == 1 && s->result.ssl != NULL ? 0 : -1;
}

/* One whole handshake, as prepared in *p, which stays. */
static inline int
shake(struct stage *s, struct tls_peer *p, int fd, enum listener_role role)
{
	result_release(s);
	assert_non_null(tls_handshake_new(s->tls, fd, role, on_done, s));
	return run(s, p);
}

/* The same with a client that has nothing special. */
static inline int
shake_plain(struct stage *s, const char *name)
{
	struct tls_peer p;
	int fds[2], r;

	pair(fds);
	tls_peer_init(&p, fds[0], name, NULL);
	r = shake(s, &p, fds[1], LISTENER_MX);
	tls_peer_release(&p);
	return r;
}

#endif
