/* explain: the steps of a decision, told. See explain.h. */
#include "conf/explain.h"

#include <string.h>

#include "conf/directory_fields.h"
#include "conf/policy.h"
#include "conf/trace.h"

static void
send_steps(struct wire_out *w, const struct trace *t)
{
	for (size_t i = 0; i < t->n; i++)
		wire_add_str(w, "step", t->v[i]);
}

/* Those that `said` has not told already: policy goes the resolver's way again. */
static void
send_new_steps(struct wire_out *w, const struct trace *t, const struct trace *said)
{
	for (size_t i = 0; i < t->n; i++) {
		bool again = false;

		for (size_t k = 0; k < said->n && !again; k++)
			again = strcmp(t->v[i], said->v[k]) == 0;
		if (!again)
			wire_add_str(w, "step", t->v[i]);
	}
}

/* As a client would be answered: what the resolver found, then who may send there. */
static void
explain_client(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, const struct address *rcpt, struct resolution *r,
    struct trace *steps, struct wire_out *w)
{
	struct policy_answer a;
	struct trace policy;
	bool hosted;

	trace_init(&policy);
	policy_connect(env, client, &policy, &a);
	if (a.verdict.kind == VERDICT_OK)
		policy_mail(env, client, from, &policy, &a);
	if (a.verdict.kind == VERDICT_OK)
		policy_rcpt(env, client, from, rcpt, &policy, &a);
	hosted = r->n == 0 || r->v[0].kind == TARGET_MAILBOX;
	if (a.verdict.kind != VERDICT_OK || hosted)
		r->verdict = a.verdict;
	if (a.verdict.kind != VERDICT_OK) {
		struct verdict v = a.verdict;

		resolution_release(r);
		r->verdict = v;
	}
	wire_add_str(w, "rule", a.rule);
	send_steps(w, steps);
	send_new_steps(w, &policy, steps);
	trace_release(&policy);
}

int
explain_answer(const struct resolve_env *env, const struct wire_msg *m, struct wire_out *w)
{
	struct policy_client client = {.role = LISTENER_MX};
	struct resolution r = {.v = NULL};
	struct address rcpt, from;
	struct span s;
	struct trace steps;
	int got = directory_get_address(m, "address", ADDRESS_POSTMASTER, &rcpt, &r.verdict);

	if (got < 0)
		return -1;
	from = (struct address){.len = 0};
	if (got == 0 && wire_get(m, "from", &s) == 0)
		got = directory_get_address(m, "from", ADDRESS_ALLOW_EMPTY, &from, &r.verdict);
	trace_init(&steps);
	if (got == 0)
		resolve(env, &rcpt, 0, &steps, &r);
	if (got == 0 && wire_get(m, "client", &s) == 0) {
		wire_get(m, "helo", &client.helo);
		wire_get(m, "auth", &client.auth);
		if (client.auth.len > 0)
			client.role = LISTENER_SUBMISSION;
		if (netaddr_parse(s, &client.address) == 0) {
			explain_client(env, &client, &from, &rcpt, &r, &steps, w);
		} else {
			resolution_release(&r);
			verdict_set(&r.verdict, VERDICT_PERMANENT, 0, "5.5.4",
			    "%.*s: expected the client's IP address", SPAN_ARG(s));
			wire_add_str(w, "rule", "bad-client");
		}
	} else {
		wire_add_str(w, "rule", got == 0 ? "resolve" : "bad-address");
		send_steps(w, &steps);
	}
	directory_add_targets(w, &r);
	trace_release(&steps);
	resolution_release(&r);
	return 0;
}
