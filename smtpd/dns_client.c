/* dns_client: asks the process remote about clients. See dns_client.h. Called by session_facts. */
#include "smtpd/dns_client.h"

#include <stdlib.h>

#include "common/peer.h"
#include "common/xalloc.h"

struct dns_client {
	struct peer *peer;
};

static void
on_answer(struct wire_msg *m, void *arg)
{
	struct facts_call *call = arg;
	struct facts told = {.n = 0};

	if (m != NULL)
		(void)facts_from_wire(&told, m);
	call->id = 0;
	call->fn(&told, call->arg);
	facts_release(&told);
}

static void
ask(void *source, struct span client, const struct span *wants, size_t n, unsigned timeout_ms,
    struct facts_call *call)
{
	struct dns_client *c = source;
	struct wire_out w;

	call->id = peer_next_id(c->peer);
	wire_out_init(&w, "facts", call->id);
	wire_add(&w, "client", client);
	for (size_t i = 0; i < n; i++)
		wire_add(&w, "want", wants[i]);
	peer_call(c->peer, &w, timeout_ms, on_answer, call);
}

static void
cancel(void *source, struct facts_call *call)
{
	struct dns_client *c = source;

	if (call->id != 0)
		peer_cancel(c->peer, call->id);
	call->id = 0;
}

const struct facts_ops dns_client_ops = {.ask = ask, .cancel = cancel};

struct dns_client *
dns_client_new(struct event_base *base, const char *path)
{
	static const struct peer_ops ops = {0};
	struct dns_client *c = xcalloc(1, sizeof *c);

	c->peer = peer_new(base, path, "smtpd", &ops, c);
	return c;
}

void
dns_client_free(struct dns_client **cp)
{
	struct dns_client *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	peer_free(&c->peer);
	free(c);
}

bool
dns_client_is_up(const struct dns_client *c)
{
	return peer_is_up(c->peer);
}
