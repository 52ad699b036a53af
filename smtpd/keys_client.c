/* keys_client: asks the process keys. See keys_client.h. Called by tls through struct tls_source_ops. */
#include "smtpd/keys_client.h"

#include <stdlib.h>
#include <string.h>

#include "common/peer.h"
#include "common/xalloc.h"
#include "conf/ticket_keys.h"
#include "smtpd/keys_signer.h"

/* keys waits this long for the directory. */
#define ANSWER_TIMEOUT_MS 6000

struct keys_client {
	struct peer *peer;
	struct keys_signer *signer; /* the thread's */
	tls_source_tickets_fn *on_tickets;
	void *arg;
	bool have_tickets;
	unsigned char tickets[TICKET_KEYS_SIZE];
};

static void
on_answer(struct wire_msg *m, void *arg)
{
	struct tls_source_call *call = arg;
	struct tls_source_answer a = {.told = false};
	struct verdict v;
	uint64_t first;

	if (m != NULL && wire_get_verdict(m, &v) == 0 && v.kind == VERDICT_OK) {
		a.unchanged = wire_is_yes(m, "unchanged");
		a.chain = m->payload;
		if (wire_get_u64(m, "first", m->payload.len, &first) == 0) {
			a.chain = span_first(m->payload, first);
			a.second = span_skip(m->payload, first);
		}
		a.told = a.unchanged || a.chain.len > 0;
	}
	call->id = 0;
	call->fn(&a, call->arg);
}

static void
ask(void *source, struct span name, const char *have, struct tls_source_call *call)
{
	struct keys_client *c = source;
	struct wire_out w;

	call->id = peer_next_id(c->peer);
	wire_out_init(&w, "certificate", call->id);
	if (name.len > 0)
		wire_add(&w, "name", name);
	if (*have != '\0')
		wire_add_str(&w, "have", have);
	peer_call(c->peer, &w, ANSWER_TIMEOUT_MS, on_answer, call);
}

static void
cancel(void *source, struct tls_source_call *call)
{
	struct keys_client *c = source;

	if (call->id != 0)
		peer_cancel(c->peer, call->id);
	call->id = 0;
}

static int
sign(const struct tls_sign *what, unsigned char out[TLS_SIGN_MAX], size_t *len, void *source)
{
	struct keys_client *c = source;

	return keys_signer_sign(c->signer, what, out, len);
}

static void
tell_tickets(struct keys_client *c)
{
	if (c->have_tickets && c->on_tickets != NULL)
		c->on_tickets(span_make(c->tickets, sizeof c->tickets), c->arg);
}

static void
on_tickets(void *source, tls_source_tickets_fn *fn, void *arg)
{
	struct keys_client *c = source;

	c->on_tickets = fn;
	c->arg = arg;
	tell_tickets(c);
}

/* What it says unasked. */
static void
on_message(struct peer *p, struct wire_msg *m, void *arg)
{
	struct keys_client *c = arg;

	(void)p;
	if (!span_is(m->verb, "tickets") || m->payload.len != sizeof c->tickets)
		return;
	memcpy(c->tickets, m->payload.p, sizeof c->tickets);
	c->have_tickets = true;
	tell_tickets(c);
}

const struct tls_source_ops keys_client_ops = {
    .ask = ask, .cancel = cancel, .sign = sign, .on_tickets = on_tickets};

struct keys_client *
keys_client_new(struct event_base *base, const char *path)
{
	static const struct peer_ops ops = {.on_message = on_message, .secret = true};
	struct keys_client *c = xcalloc(1, sizeof *c);

	c->signer = keys_signer_new(path);
	c->peer = peer_new(base, path, "smtpd", &ops, c);
	return c;
}

void
keys_client_free(struct keys_client **cp)
{
	struct keys_client *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	peer_free(&c->peer);
	keys_signer_free(&c->signer);
	explicit_bzero(c->tickets, sizeof c->tickets);
	free(c);
}
