/* policy: asks the directory. See policy.h. */
#include "smtpd/policy.h"

#include <stdlib.h>

#include "common/peer.h"
#include "common/xalloc.h"

/* A directory that is up answers within a millisecond; a client waits five minutes (RFC 5321 4.5.3.2). */
#define ANSWER_TIMEOUT_MS 10000

struct policy {
	struct peer *peer;
};

static void
add_question(struct wire_out *w, const struct policy_question *q)
{
	wire_add(w, "client", q->client);
	wire_add_str(w, "role", listener_role_name(q->role));
	if (q->uid >= 0)
		wire_add_u64(w, "uid", (uint64_t)q->uid);
	if (q->kind == POLICY_CONNECT)
		return;
	wire_add(w, "helo", q->helo);
	if (q->auth.len > 0)
		wire_add(w, "auth", q->auth);
	wire_add(w, "from", q->from);
	if (q->kind == POLICY_RCPT)
		wire_add(w, "rcpt", q->rcpt);
}

static void
on_answer(struct wire_msg *m, void *arg)
{
	struct policy_call *call = arg;
	struct policy_answer a = {.told = false, .rule = span_str("cannot-tell")};

	if (m != NULL && wire_get_verdict(m, &a.verdict) == 0) {
		a.told = true;
		if (wire_get(m, "rule", &a.rule) != 0)
			a.rule = span_str("-");
	} else {
		verdict_set(&a.verdict, VERDICT_TEMPORARY, 451, "4.3.0",
		    "Cannot decide now, try again later");
	}
	call->id = 0;
	call->fn(&a, call->arg);
}

static void
ask(void *arg, const struct policy_question *q, struct policy_call *call)
{
	static const char *const verbs[] = {
	    [POLICY_CONNECT] = "connect", [POLICY_MAIL] = "mail", [POLICY_RCPT] = "rcpt"};
	struct policy *p = arg;
	struct wire_out w;

	call->id = peer_next_id(p->peer);
	wire_out_init(&w, verbs[q->kind], call->id);
	add_question(&w, q);
	peer_call(p->peer, &w, ANSWER_TIMEOUT_MS, on_answer, call);
}

static void
cancel(void *arg, struct policy_call *call)
{
	struct policy *p = arg;

	if (call->id != 0)
		peer_cancel(p->peer, call->id);
	call->id = 0;
}

const struct policy_ops policy_directory_ops = {.ask = ask, .cancel = cancel};

struct policy *
policy_new(struct event_base *base, const char *path)
{
	static const struct peer_ops ops = {0};
	struct policy *p = xcalloc(1, sizeof *p);

	p->peer = peer_new(base, path, "smtpd", &ops, p);
	return p;
}

void
policy_free(struct policy **pp)
{
	struct policy *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	peer_free(&p->peer);
	free(p);
}
