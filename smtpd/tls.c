/* tls: what TLS with clients needs once in a worker. See tls.h. */
#include "smtpd/tls.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "smtpd/tls_context.h"
#include "smtpd/tls_handshake.h"

/* They may come from a new process `keys`, which knows no certificate, and so signs nothing, until it is asked for one. */
static void
on_tickets(struct span keys, void *arg)
{
	struct tls *t = arg;

	tls_tickets_set(t->tickets, keys);
	tls_names_expire(t->names);
}

struct tls *
tls_new(struct event_base *base, const struct tls_source_ops *ops, void *source,
    uint64_t (*clock)(void))
{
	struct tls *t = xcalloc(1, sizeof *t);

	t->base = base;
	t->source_ops = ops;
	t->source = source;
	t->provider = tls_provider_new();
	t->names = tls_names_new(t->provider, ops, source, clock);
	t->tickets = tls_tickets_new();
	t->thread = worker_new(base);
	t->clock = clock;
	TAILQ_INIT(&t->waiting);
	TAILQ_INIT(&t->begun);
	t->pressure = evtimer_new(base, tls_handshake_on_pressure, t);
	if (t->pressure == NULL)
		fatalx("cannot make a timer");
	ops->on_tickets(source, on_tickets, t);
	return t;
}

void
tls_free(struct tls **tp)
{
	struct tls *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	worker_free(&t->thread);
	event_free(t->pressure);
	tls_names_cancel(&t->preparing);
	tls_names_free(&t->names);
	SSL_CTX_free(t->context);
	tls_tickets_free(&t->tickets);
	tls_provider_free(&t->provider);
	free(t->hostname);
	free(t);
}

int
tls_configure(struct tls *t, const char *hostname, const struct tls_rules *rules)
{
	SSL_CTX *ctx;
	struct buf why;

	buf_init(&why, 1024);
	ctx = tls_context_new(t->provider, t->tickets, rules, &why);
	if (ctx == NULL)
		log_warnx("%s", buf_str(&why));
	buf_release(&why);
	if (ctx == NULL)
		return -1;
	SSL_CTX_free(t->context);
	t->context = ctx;
	free(t->hostname);
	t->hostname = xstrdup(hostname);
	return 0;
}

static void
on_prepared(struct tls_identity *identity, void *arg)
{
	struct tls *t = arg;
	void (*renewed)(void *) = t->renewed;

	t->prepared = t->prepared || identity != NULL;
	/* An answer to what was asked before the renewal is none: it is asked again. */
	if (renewed == NULL ||
	    (identity != NULL && tls_names_get(t->names, span_str(""), &t->preparing) == NULL))
		return;
	t->renewed = NULL;
	renewed(t->renewed_arg);
}

void
tls_prepare(struct tls *t)
{
	if (t->preparing.name != NULL)
		return;
	t->preparing.fn = on_prepared;
	t->preparing.arg = t;
	if (tls_names_get(t->names, span_str(""), &t->preparing) != NULL)
		t->prepared = true;
}

void
tls_renew(struct tls *t, void (*renewed)(void *), void *arg)
{
	t->renewed = renewed;
	t->renewed_arg = arg;
	tls_names_expire(t->names);
	tls_prepare(t);
}

bool
tls_is_prepared(const struct tls *t)
{
	return t->prepared;
}
