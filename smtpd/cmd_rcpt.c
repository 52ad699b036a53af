/*
 * RCPT (RFC 5321 4.1.1.3). The address that is authorised is the one that is
 * stored: both are the canonical form. A recipient named twice stands in the
 * transaction once. No parameter is offered.
 */
#include "smtpd/param.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"
#include "smtpd/verbs.h"

static int
wrong(struct refusal *r, enum smtp_reply_id reply, struct span detail)
{
	*r = (struct refusal){reply, detail};
	return -1;
}

int
cmd_rcpt_parse(struct span arg, bool esmtp, struct command *c, struct refusal *r)
{
	struct param p;
	const char *why;

	(void)esmtp;
	if (!span_starts_with_nocase(arg, "TO:"))
		return wrong(r, REPLY_SYNTAX, span_str("RCPT TO:<address>"));
	arg = span_trim(span_skip(arg, 3));
	if (address_parse_path(&arg, ADDRESS_POSTMASTER, &c->args.rcpt.to, &why) != 0)
		return wrong(r, REPLY_RECIPIENT_SYNTAX, span_str(why));
	if (arg.len > 0 && arg.p[0] != ' ')
		return wrong(r, REPLY_SYNTAX, span_str("a space comes before a parameter"));
	switch (param_next(&arg, &p)) {
	case 0:
		return 0;
	case 1:
		return wrong(r, REPLY_PARAMETER_UNKNOWN, p.keyword);
	default:
		return wrong(r, REPLY_PARAMETER_SYNTAX, p.keyword);
	}
}

static void
on_answer(const struct answer *a, void *arg)
{
	struct session *s = arg;
	struct txn *t = s->txn;

	if (a->verdict.kind == VERDICT_OK) {
		recipients_add(&t->recipients, &t->asked);
		session_reply(s, REPLY_RECIPIENT_OK);
	} else {
		t->refused++;
		session_reply_verdict(s, &a->verdict, a->rule);
	}
	t->asked = (struct recipient){.hash = 0};
	session_finish(s);
}

enum command_result
cmd_rcpt_run(struct session *s, const struct command *c)
{
	struct txn *t = s->txn;
	struct span to = address_span(&c->args.rcpt.to);

	if (recipients_has(&t->recipients, to)) {
		session_reply(s, REPLY_RECIPIENT_OK);
		return COMMAND_DONE;
	}
	/* Those that had to be put off count too: they take memory and the directory's time. */
	if (t->recipients.n >= s->settings->recipient_limit ||
	    t->refused >= s->settings->recipient_limit || txn_is_full(t)) {
		session_reply(s, REPLY_TOO_MANY_RECIPIENTS);
		return COMMAND_FAILED;
	}
	t->asked = (struct recipient){.address = arena_copy(&t->strings, to)};
	session_ask(s, QUESTION_RCPT, on_answer);
	return COMMAND_WAITING;
}
