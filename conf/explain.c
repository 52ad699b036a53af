/* explain: the steps of a decision, told. See explain.h. */
#include "conf/explain.h"

#include <string.h>

#include "common/buf.h"
#include "conf/directory_fields.h"
#include "conf/explain_login.h"
#include "conf/policy.h"
#include "conf/refusal.h"
#include "conf/trace.h"

/* What a session would have said by now. */
struct tale {
	const struct resolve_env *env;
	struct trace trace;
	struct policy_client client;
	struct address account, from, rcpt;
	struct policy_answer answer;
	bool asks; /* the session would want to know what the DNS says */
};

/* Refuses as smtpd does by itself; why (may be empty) follows the text. */
static void
refuse(struct tale *t, int code, const char *status, const char *text, const char *rule,
    const char *why)
{
	verdict_set(&t->answer.verdict, VERDICT_PERMANENT, code, status, "%s%s%s", text,
	    *why != '\0' ? " " : "", why);
	t->answer.rule = rule;
	trace_add(&t->trace, "rule %s: permanent %s %s", rule, status, t->answer.verdict.text);
}

/* What MAIL and RCPT differ in, where they take an address. */
struct path_kind {
	unsigned flags; /* of address_parse_path */
	int code;
	const char *status, *text, *rule; /* if it is none */
};

static const struct path_kind sender_path = {ADDRESS_ALLOW_EMPTY, REFUSAL_SENDER_SYNTAX};
static const struct path_kind recipient_path = {ADDRESS_POSTMASTER, REFUSAL_RECIPIENT_SYNTAX};

/* In angle brackets, which need not be typed. The octets that follow the path, or -1 and why there is none. */
static ptrdiff_t
parse_path(struct span typed, unsigned flags, struct address *a, const char **why)
{
	bool whole = typed.len > 1 && typed.p[0] == '<' && typed.p[typed.len - 1] == '>';
	ptrdiff_t left = -1;
	struct span rest;
	struct buf text;

	buf_init(&text, typed.len + 2);
	if (!whole)
		buf_add_char(&text, '<');
	buf_add_span(&text, typed);
	if (!whole)
		buf_add_char(&text, '>');
	rest = buf_span(&text);
	if (address_parse_path(&rest, ADDRESS_UTF8 | flags, a, why) == 0)
		left = (ptrdiff_t)rest.len;
	buf_release(&text);
	return left;
}

/* As MAIL and RCPT do. false: refused. */
static bool
take_path(struct tale *t, const struct path_kind *k, struct span typed, struct address *a)
{
	const char *why;
	ptrdiff_t left = parse_path(typed, k->flags, a, &why);

	if (left < 0)
		refuse(t, k->code, k->status, k->text, k->rule, why);
	else if (left > 0)
		refuse(t, REFUSAL_SYNTAX, REFUSAL_AFTER_PATH);
	return left == 0;
}

static bool
goes_on(const struct tale *t)
{
	return t->answer.verdict.kind == VERDICT_OK;
}

/* Logs in as the client does that knows the password; from now on it is the account of the canonical name. */
static bool
take_login(struct tale *t)
{
	struct verdict *v = &t->answer.verdict;

	if (t->client.auth.len == 0)
		return true;
	if (explain_login(t->env, t->client.auth, &t->trace, &t->account, v, &t->answer.rule)) {
		t->client.auth = address_span(&t->account);
		return true;
	}
	trace_add(&t->trace, "rule %s: %s %s %s", t->answer.rule, verdict_kind_name(v->kind),
	    v->status, v->text);
	return false;
}

/* The end of data, where it is not known what stands in the message, or nobody is held to it. */
static void
tell_author_rule(struct tale *t, const char *more)
{
	const struct config *c = t->env->config;

	trace_look(&t->trace, "check-header-from", (struct trace_place){NULL, c->path, 0},
	    "%s%s", config_check_name(c->check_header_from), more);
}

/* May who has logged in say that the message is from there (check-header-from)? author.p NULL: nobody asked. */
static void
play_author(struct tale *t, struct span author)
{
	bool off = t->env->config->check_header_from == CHECK_OFF;
	struct policy_author one = {.field = span_str("From")};
	struct policy_answer answer = {.rule = ""};
	const char *unclear = "", *why;

	if (t->client.auth.len == 0 || (author.p == NULL && off))
		return;
	trace_set_stage(&t->trace, "data");
	if (off) {
		tell_author_rule(t, ": whatever stands in From");
		return;
	}
	if (author.p == NULL) {
		tell_author_rule(t,
		    ": From and Sender are looked at when the message has come (rules "
		    "header-from-not-yours, header-from-unclear; --header-from asks)");
		return;
	}
	if (author.len == 0)
		unclear = "there is no address in From";
	else if (parse_path(author, 0, &one.address, &why) != 0)
		unclear = "what stands in From or Sender is no address";
	policy_author(t->env, &t->client, &one, *unclear == '\0' ? 1 : 0, span_str(unclear),
	    &t->trace, &answer);
	if (answer.verdict.kind != VERDICT_OK)
		t->answer = answer;
}

/* Command by command, until one is refused. */
static void
play(struct tale *t, struct span from, struct span rcpt, struct span author)
{
	trace_set_stage(&t->trace, "connect");
	policy_connect(t->env, &t->client, &t->trace, &t->answer);
	if (!goes_on(t))
		return;
	trace_set_stage(&t->trace, "helo");
	if (t->client.helo.len > 0 && !address_helo_valid(t->client.helo)) {
		refuse(t, REFUSAL_HELO_NAME, "");
		return;
	}
	trace_set_stage(&t->trace, "auth");
	if (!take_login(t))
		return;
	trace_set_stage(&t->trace, "mail");
	if (!take_path(t, &sender_path, from, &t->from))
		return;
	policy_mail(t->env, &t->client, &t->from, &t->trace, &t->answer);
	if (!goes_on(t))
		return;
	t->asks = true;
	trace_set_stage(&t->trace, "rcpt");
	if (!take_path(t, &recipient_path, rcpt, &t->rcpt))
		return;
	policy_rcpt(t->env, &t->client, &t->from, &t->rcpt, &t->trace, &t->answer);
	/* What is thrown away is not looked at. */
	if (goes_on(t) && t->answer.action != POLICY_DISCARD)
		play_author(t, author);
}

/*
 * Those of an alias that are no mailboxes are targets too, for the queue to fail and tell the sender
 * (resolve.h); whether one is, is asked as who delivers asks.
 */
static void
mark_failures(struct tale *t, struct resolution *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct mailbox box = {.user = NULL};
		struct target *one = &r->v[i];
		struct address a;
		struct verdict v;

		if (one->kind != TARGET_MAILBOX ||
		    address_parse(span_str(one->address), ADDRESS_UTF8, &a, NULL) != 0)
			continue;
		resolve_mailbox(t->env, &a, &v, &box);
		mailbox_release(&box);
		if (v.kind != VERDICT_PERMANENT)
			continue;
		one->kind = TARGET_FAILURE;
		trace_add(&t->trace, "%s goes nowhere: the sender is told", one->address);
	}
}

/* Where mail for the recipient goes: all of it, while the session only asks whether it goes anywhere. */
static void
find_targets(struct tale *t, struct resolution *r)
{
	trace_set_stage(&t->trace, "targets");
	resolve(t->env, &t->rcpt, 0, &t->trace, r);
	mark_failures(t, r);
}

static bool
is_same(const struct trace_step *a, const struct trace_step *b)
{
	return strcmp(a->what, b->what) == 0 && strcmp(a->where, b->where) == 0 &&
	       strcmp(a->outcome, b->outcome) == 0;
}

/* Each once: RCPT goes some of the resolver's way that the targets are found by. */
static void
send_steps(struct wire_out *w, const struct trace *t)
{
	for (size_t i = 0; i < t->n; i++) {
		bool again = false;

		for (size_t k = 0; k < i && !again; k++)
			again = is_same(&t->v[i], &t->v[k]);
		if (again)
			continue;
		wire_add_str(w, "step", t->v[i].outcome);
		wire_add_str(w, "stage", t->v[i].stage);
		wire_add_str(w, "what", t->v[i].what);
		wire_add_str(w, "where", t->v[i].where);
	}
}

static const char *
action_name(const struct tale *t)
{
	switch (t->answer.verdict.kind) {
	case VERDICT_PERMANENT:
		return "reject";
	case VERDICT_TEMPORARY:
		return "defer";
	case VERDICT_OK:
		break;
	}
	return policy_action_name(t->answer.action);
}

static void
tell(struct tale *t, struct resolution *r, struct wire_out *w)
{
	wire_add_str(w, "rule", t->answer.rule);
	wire_add_str(w, "action", action_name(t));
	send_steps(w, &t->trace);
	directory_add_targets(w, r);
}

/* As a client would be answered. */
static void
explain_client(
    struct tale *t, struct span from, struct span rcpt, struct span author, struct wire_out *w)
{
	struct resolution r = {.v = NULL};

	play(t, from, rcpt, author);
	policy_make_public(&t->client, &t->answer);
	if (goes_on(t) && t->answer.action != POLICY_DISCARD)
		find_targets(t, &r);
	r.verdict = t->answer.verdict;
	if (goes_on(t) && t->answer.action == POLICY_QUARANTINE) {
		/* Why it is held is for the queue; the client hears nothing of it. */
		wire_add_str(w, "reason", r.verdict.text);
		verdict_set_text(&r.verdict, VERDICT_OK, 250, "2.1.5", "Recipient OK");
	}
	if (t->asks)
		directory_add_wants(w, t->env, &t->client, &t->from);
	tell(t, &r, w);
	resolution_release(&r);
}

/* Whoever sends it: where does mail for the address go? */
static void
explain_address(struct tale *t, struct span rcpt, struct wire_out *w)
{
	struct resolution r = {.v = NULL};

	t->answer.rule = "resolve";
	if (take_path(t, &recipient_path, rcpt, &t->rcpt)) {
		find_targets(t, &r);
		t->answer.verdict = r.verdict;
	} else {
		r.verdict = t->answer.verdict;
	}
	tell(t, &r, w);
	resolution_release(&r);
}

int
explain_answer(const struct resolve_env *env, const struct wire_msg *m, struct wire_out *w)
{
	struct tale t = {.env = env, .answer.rule = "", .answer.action = POLICY_DELIVER};
	struct span rcpt, client, from = span_str(""), author = {NULL, 0};
	struct facts known = {.n = 0};
	bool as_client = wire_get(m, "client", &client) == 0;

	if (wire_get(m, "address", &rcpt) != 0 ||
	    (as_client && directory_get_client(m, &t.client) != 0) ||
	    facts_from_wire(&known, m) != 0) {
		facts_release(&known);
		return -1;
	}
	wire_get(m, "from", &from);
	wire_get(m, "header-from", &author);
	trace_init(&t.trace);
	if (as_client) {
		t.client.facts = &known;
		explain_client(&t, from, rcpt, author, w);
	} else {
		explain_address(&t, rcpt, w);
	}
	trace_release(&t.trace);
	facts_release(&known);
	return 0;
}
