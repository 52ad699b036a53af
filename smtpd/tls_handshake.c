/*
 * tls_handshake: one handshake with a client. See tls_handshake.h.
 *
 * Invariant: of a handshake whose task is with the thread nothing is touched here
 * but its flag `given_up`; whoever gives it up leaves descriptor and all to
 * on_step. So no thread ever works on a descriptor that has become another's.
 */
#include "smtpd/tls_handshake.h"

#include <errno.h>
#include <openssl/err.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "smtpd/tls_context.h"

enum phase {
	PHASE_FIRST_OCTET, /* nothing has come: it costs nothing */
	PHASE_TURN,	   /* too many are under way: in tls.waiting */
	PHASE_STEP,	   /* with the thread */
	PHASE_SOCKET,	   /* waits for octets, or for room for them */
	PHASE_NAME,	   /* waits for the certificate */
};

struct tls_handshake {
	struct worker_task task;
	TAILQ_ENTRY(tls_handshake)
	link; /* in tls.waiting or tls.begun, but for PHASE_FIRST_OCTET */
	uint64_t began_ms;
	struct tls *tls;
	SSL_CTX *context; /* a reference */
	SSL *ssl;	  /* NULL before the first step */
	struct event *event;
	enum phase phase;
	bool given_up;
	int fd;
	const char *role;
	struct tls_hello hello;
	struct tls_identity *identity; /* a reference */
	struct tls_names_wait wait;
	tls_handshake_fn *done;
	void *arg;
	int error; /* of the last step: SSL_get_error */
	char why[160];
};

static void on_socket(evutil_socket_t, short, void *);

static void
wait_for_socket(struct tls_handshake *h, short what)
{
	if (h->event != NULL)
		event_free(h->event);
	h->event = event_new(h->tls->base, h->fd, what, on_socket, h);
	if (h->event == NULL || event_add(h->event, NULL) != 0)
		fatalx("cannot watch a socket");
}

/* --- on the thread --- */

/* What is wrong, while OpenSSL still knows. */
static void
explain(struct tls_handshake *h, int error)
{
	unsigned long code = ERR_peek_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (h->error == SSL_ERROR_SYSCALL && code == 0)
		reason = error != 0 ? strerror(error) : "the client closed the connection";
	if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		reason = "the client closed the connection";
	snprintf(h->why, sizeof h->why, "%s", reason != NULL ? reason : "unknown reason");
}

static void
step(struct worker_task *task)
{
	struct tls_handshake *h =
	    (struct tls_handshake *)(void *)((char *)task -
					     offsetof(struct tls_handshake, task));
	int r, error;

	ERR_clear_error();
	if (h->ssl == NULL)
		h->ssl = tls_context_connection(h->context, h->fd, h->role, &h->hello);
	if (h->ssl == NULL) {
		h->error = SSL_ERROR_SSL;
		explain(h, 0);
		return;
	}
	errno = 0;
	r = SSL_do_handshake(h->ssl);
	error = errno;
	h->error = SSL_get_error(h->ssl, r);
	if (h->error == SSL_ERROR_SSL || h->error == SSL_ERROR_SYSCALL)
		explain(h, error);
	ERR_clear_error();
}

/* --- on the loop --- */

static void
run_step(struct tls_handshake *h)
{
	h->phase = PHASE_STEP;
	worker_submit(h->tls->thread, &h->task);
}

static void
begin_next(struct tls *t)
{
	struct tls_handshake *h = TAILQ_FIRST(&t->waiting);

	if (h == NULL || t->under_way >= TLS_HANDSHAKES_MAX)
		return;
	TAILQ_REMOVE(&t->waiting, h, link);
	TAILQ_INSERT_TAIL(&t->begun, h, link);
	t->under_way++;
	h->began_ms = t->clock();
	run_step(h);
}

/* Frees all but descriptor and SSL, and lets the next one begin. */
static void
destroy(struct tls_handshake *h)
{
	struct tls *t = h->tls;

	if (h->event != NULL)
		event_free(h->event);
	tls_names_cancel(&h->wait);
	tls_identity_unref(&h->identity);
	SSL_CTX_free(h->context);
	if (h->phase == PHASE_TURN) {
		TAILQ_REMOVE(&t->waiting, h, link);
	} else if (h->phase != PHASE_FIRST_OCTET) {
		TAILQ_REMOVE(&t->begun, h, link);
		t->under_way--;
	}
	free(h);
	begin_next(t);
}

static void
abandon(struct tls_handshake *h)
{
	SSL_free(h->ssl);
	close(h->fd);
	destroy(h);
}

static void
fail(struct tls_handshake *h)
{
	tls_handshake_fn *done = h->done;
	void *arg = h->arg;
	char why[sizeof h->why];

	memcpy(why, h->why, sizeof why);
	abandon(h);
	done(&(struct tls_result){.fd = -1, .why = why}, arg);
}

static void
succeed(struct tls_handshake *h)
{
	struct tls_result r = {.ssl = h->ssl, .fd = h->fd};
	tls_handshake_fn *done = h->done;
	void *arg = h->arg;

	SSL_set_app_data(h->ssl, NULL);
	SSL_certs_clear(h->ssl); /* it will not be shown again */
	r.info = tls_info_new(h->ssl, h->hello.name);
	destroy(h);
	done(&r, arg);
}

static void
use_identity(struct tls_handshake *h, struct tls_identity *identity)
{
	if (identity == NULL) {
		snprintf(h->why, sizeof h->why, "there is no certificate to be had");
		fail(h);
		return;
	}
	h->identity = tls_identity_ref(identity);
	h->hello.identity = identity;
	run_step(h);
}

static void
on_identity(struct tls_identity *identity, void *arg)
{
	use_identity(arg, identity);
}

/* The ClientHello is there: whose certificate does it want? */
static void
ask_for_identity(struct tls_handshake *h)
{
	struct span name = span_str(h->hello.name);
	struct tls_identity *identity;

	if (h->hello.identity != NULL) {
		snprintf(h->why, sizeof h->why, "OpenSSL asks twice");
		fail(h);
		return;
	}
	h->phase = PHASE_NAME;
	h->wait.fn = on_identity;
	h->wait.arg = h;
	identity = tls_names_get(
	    h->tls->names, span_is(name, h->tls->hostname) ? span_str("") : name, &h->wait);
	if (identity != NULL)
		use_identity(h, identity);
}

static void
on_step(struct worker_task *task)
{
	struct tls_handshake *h =
	    (struct tls_handshake *)(void *)((char *)task -
					     offsetof(struct tls_handshake, task));

	if (h->given_up) {
		abandon(h);
		return;
	}
	switch (h->error) {
	case SSL_ERROR_NONE:
		succeed(h);
		break;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		h->phase = PHASE_SOCKET;
		wait_for_socket(h, h->error == SSL_ERROR_WANT_READ ? EV_READ : EV_WRITE);
		break;
	case SSL_ERROR_WANT_CLIENT_HELLO_CB:
		ask_for_identity(h);
		break;
	default:
		fail(h);
		break;
	}
}

/* As many as wait may take the places of the oldest that wait for their clients. */
void
tls_handshake_on_pressure(evutil_socket_t fd, short what, void *arg)
{
	struct tls *t = arg;
	struct tls_handshake *h, *next;
	unsigned wanted = 0;

	(void)fd, (void)what;
	TAILQ_FOREACH (h, &t->waiting, link)
		wanted++;
	for (h = TAILQ_FIRST(&t->begun);
	     h != NULL && wanted > 0 && h->began_ms + TLS_PRESSURE_MS <= t->clock(); h = next) {
		next = TAILQ_NEXT(h, link);
		if (h->phase != PHASE_SOCKET)
			continue;
		wanted--;
		snprintf(h->why, sizeof h->why, "the client is slow and others wait");
		fail(h);
	}
	if (!TAILQ_EMPTY(&t->waiting))
		event_add(t->pressure, &(struct timeval){0, TLS_PRESSURE_MS * 1000 / 4});
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct tls_handshake *h = arg;
	struct tls *t = h->tls;

	(void)fd, (void)what;
	if (h->phase == PHASE_SOCKET) {
		run_step(h);
		return;
	}
	h->phase = PHASE_TURN;
	TAILQ_INSERT_TAIL(&t->waiting, h, link);
	begin_next(t);
	if (!TAILQ_EMPTY(&t->waiting) && !event_pending(t->pressure, EV_TIMEOUT, NULL))
		event_add(t->pressure, &(struct timeval){0, TLS_PRESSURE_MS * 1000 / 4});
}

struct tls_handshake *
tls_handshake_new(
    struct tls *t, int fd, enum listener_role role, tls_handshake_fn *done, void *arg)
{
	struct tls_handshake *h = xcalloc(1, sizeof *h);

	h->tls = t;
	h->task.run = step;
	h->task.done = on_step;
	h->context = t->context;
	SSL_CTX_up_ref(h->context);
	h->fd = fd;
	h->role = listener_role_name(role);
	h->done = done;
	h->arg = arg;
	h->phase = PHASE_FIRST_OCTET;
	wait_for_socket(h, EV_READ);
	return h;
}

void
tls_handshake_free(struct tls_handshake **hp)
{
	struct tls_handshake *h = *hp;

	if (h == NULL)
		return;
	*hp = NULL;
	if (h->phase == PHASE_STEP)
		h->given_up = true;
	else
		abandon(h);
}
