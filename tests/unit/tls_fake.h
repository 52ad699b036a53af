/*
 * tls_fake: certificates and signatures for TLS under test, which the test makes and holds itself, and
 * the client's end of a handshake. Used by tls_stage.h and test_session_tls.c.
 */
#ifndef TESTS_UNIT_TLS_FAKE_H
#define TESTS_UNIT_TLS_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "conf/key_sign.h"
#include "conf/ticket_keys.h"
#include "smtpd/tls_handshake.h"
#include "tests/unit/certificates.h"

#define TLS_FAKE_CALLS 64

struct tls_fake {
	/* What it answers: for names that begin with "b." the second, else the first. */
	struct certificate *first, *second;
	bool both;		/* the second goes with the first: they are of two kinds */
	bool hold;		/* questions wait until it is not */
	bool away;		/* there is nothing to be had */
	atomic_bool no_signing; /* signatures are refused */
	struct tls_source_call *calls[TLS_FAKE_CALLS];
	char names[TLS_FAKE_CALLS][300], haves[TLS_FAKE_CALLS][64];
	size_t ncalls;
	char asked[300], had[64]; /* the last question */
	unsigned questions;
	tls_source_tickets_fn *on_tickets;
	void *arg;
	struct ticket_key tickets[TICKET_KEYS];
	bool with_tickets;
};

static inline void
tls_fake_ask(void *source, struct span name, const char *have, struct tls_source_call *call)
{
	struct tls_fake *f = source;

	assert_true(f->ncalls < TLS_FAKE_CALLS);
	call->id = ++f->questions;
	snprintf(f->asked, sizeof f->asked, "%.*s", SPAN_ARG(name));
	snprintf(f->had, sizeof f->had, "%s", have);
	memcpy(f->names[f->ncalls], f->asked, sizeof f->asked);
	memcpy(f->haves[f->ncalls], f->had, sizeof f->had);
	f->calls[f->ncalls++] = call;
}

static inline void
tls_fake_cancel(void *source, struct tls_source_call *call)
{
	struct tls_fake *f = source;

	for (size_t i = 0; i < f->ncalls; i++)
		if (f->calls[i] == call)
			f->calls[i] = NULL;
	call->id = 0;
}

static inline int
tls_fake_sign(
    const struct tls_sign *what, unsigned char out[TLS_SIGN_MAX], size_t *len, void *source)
{
	struct tls_fake *f = source;
	struct certificate *both[] = {f->first, f->second};

	if (f->no_signing)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		struct key_pair p;
		struct buf why;
		bool is;

		if (both[i] == NULL)
			continue;
		buf_init(&why, 1024);
		if (key_pair_parse_certificate(buf_span(&both[i]->certificate), &p, &why) != 0)
			abort();
		is = strcmp(p.id, what->id) == 0;
		key_pair_release(&p);
		buf_release(&why);
		if (is)
			return key_sign(both[i]->key, span_str(what->digest), what->pss,
			    what->message, out, len);
	}
	return -1;
}

static inline void
tls_fake_on_tickets(void *source, tls_source_tickets_fn *fn, void *arg)
{
	struct tls_fake *f = source;

	f->on_tickets = fn;
	f->arg = arg;
	if (f->with_tickets)
		fn(span_make(f->tickets, sizeof f->tickets), arg);
}

static const struct tls_source_ops tls_fake_ops = {.ask = tls_fake_ask,
    .cancel = tls_fake_cancel,
    .sign = tls_fake_sign,
    .on_tickets = tls_fake_on_tickets};

static inline void
tls_fake_answer(struct tls_fake *f)
{
	size_t n = f->ncalls;

	if (f->hold)
		return;
	f->ncalls = 0;
	for (size_t i = 0; i < n; i++) {
		const struct certificate *c =
		    strncmp(f->names[i], "b.", 2) == 0 && f->second != NULL ? f->second
									    : f->first;
		struct tls_source_answer a = {.told = !f->away};
		struct tls_source_call *call = f->calls[i];
		struct key_pair p;
		struct buf why;

		if (call == NULL)
			continue;
		buf_init(&why, 1024);
		if (key_pair_parse_certificate(buf_span(&c->certificate), &p, &why) != 0)
			abort();
		a.unchanged = strcmp(p.id, f->haves[i]) == 0;
		if (!a.unchanged)
			a.chain = buf_span(&c->certificate);
		if (f->both)
			a.second = buf_span(&f->second->certificate);
		call->id = 0;
		call->fn(&a, call->arg);
		key_pair_release(&p);
		buf_release(&why);
	}
}

/* --- the client --- */

struct tls_peer {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
};

static inline int
tls_peer_keep(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION **kept = SSL_get_app_data(ssl);

	SSL_SESSION_free(*kept);
	*kept = session;
	return 1;
}

/* A client on its end of a socket pair. session (may be NULL): where the last ticket is kept, and offered from. */
static inline void
tls_peer_init(struct tls_peer *p, int fd, const char *name, SSL_SESSION **session)
{
	*p = (struct tls_peer){SSL_CTX_new(TLS_client_method()), NULL, fd};
	if (session != NULL) {
		SSL_CTX_set_session_cache_mode(
		    p->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(p->ctx, tls_peer_keep);
	}
	p->ssl = SSL_new(p->ctx);
	SSL_set_fd(p->ssl, fd);
	SSL_set_connect_state(p->ssl);
	if (name != NULL)
		SSL_set_tlsext_host_name(p->ssl, name);
	if (session != NULL) {
		SSL_set_app_data(p->ssl, session);
		if (*session != NULL)
			SSL_set_session(p->ssl, *session);
	}
}

static inline void
tls_peer_release(struct tls_peer *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->ctx);
	if (p->fd >= 0)
		close(p->fd);
	ERR_clear_error();
}

/* 1: done, 0: more to do, -1: failed. */
static inline int
tls_peer_step(struct tls_peer *p)
{
	int r, error;

	ERR_clear_error();
	r = SSL_do_handshake(p->ssl);
	error = SSL_get_error(p->ssl, r);
	if (r == 1)
		return 1;
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

#endif
