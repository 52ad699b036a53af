/*
 * RCPT (RFC 5321 4.1.1.3). The address that is authorised is the one that is
 * stored: both are the canonical form. A recipient named twice stands in the
 * transaction once, with the parameters it came with first. NOTIFY and ORCPT
 * (RFC 3461) are known where DSN is offered; UTF-8 stands here where MAIL said SMTPUTF8.
 */
#include "common/utf8.h"
#include "conf/refusal.h"
#include "smtpd/dsn_param.h"
#include "smtpd/param.h"
#include "smtpd/session.h"
#include "smtpd/session_checks.h"
#include "smtpd/txn.h"
#include "smtpd/verbs.h"

static int
take_param(const struct param *p, unsigned offers, struct rcpt_args *a, struct refusal *r)
{
	bool notify = param_is(p, "NOTIFY");
	struct span *place = notify ? &a->notify : &a->orcpt;

	if ((offers & OFFER_DSN) == 0 || (!notify && !param_is(p, "ORCPT")))
		return command_wrong(r, REPLY_PARAMETER_UNKNOWN, p->keyword);
	if (place->len > 0 || !p->has_value ||
	    !(notify ? dsn_param_notify_valid(p->value) : dsn_param_orcpt_valid(p->value)))
		return command_wrong(r, REPLY_PARAMETER_SYNTAX, p->keyword);
	*place = p->value;
	return 0;
}

int
cmd_rcpt_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r)
{
	struct rcpt_args *a = &c->args.rcpt;
	struct param p;
	const char *why;
	int more;

	if (!span_starts_with_nocase(arg, "TO:"))
		return command_wrong(r, REPLY_SYNTAX, span_str("RCPT TO:<address>"));
	arg = span_trim(span_skip(arg, 3));
	a->notify = a->orcpt = (struct span){NULL, 0};
	if (address_parse_path(&arg, ADDRESS_POSTMASTER | ADDRESS_UTF8, &a->to, &why) != 0)
		return command_wrong(r, REPLY_RECIPIENT_SYNTAX, span_str(why));
	if (arg.len > 0 && arg.p[0] != ' ')
		return command_wrong(r, REPLY_SYNTAX, span_str(REFUSAL_AFTER_PATH));
	while ((more = param_next(&arg, &p)) == 1)
		if (take_param(&p, offers, a, r) != 0)
			return -1;
	return more == 0 ? 0 : command_wrong(r, REPLY_PARAMETER_SYNTAX, p.keyword);
}

/*
 * A message has one size and is refused for one reason: whoever has not said how large it is gets
 * recipients with another limit in another transaction, so that none suffers for another's limit.
 */
static bool
limit_fits(struct txn *t, uint64_t limit)
{
	if (t->recipients.n > 0 && t->declared == 0 && limit != t->size_limit)
		return false;
	if (limit > 0 && (t->size_limit == 0 || limit < t->size_limit))
		t->size_limit = limit;
	return true;
}

/* What the directory says of the recipient's domain, where it is less than what holds for all. */
static uint64_t
limit_of(const struct session *s, const struct answer *a)
{
	return a->size_limit < s->settings->message_size_limit ? a->size_limit : 0;
}

static void
on_answer(const struct answer *a, void *arg)
{
	struct session *s = arg;
	struct txn *t = s->txn;

	if (a->verdict.kind == VERDICT_OK && !session_checks_are_ready(s)) {
		t->refused++;
		session_reply(s, REPLY_CHECKS_MISSING);
	} else if (a->verdict.kind == VERDICT_OK && !limit_fits(t, limit_of(s, a))) {
		t->refused++;
		session_reply(s, REPLY_OTHER_SIZE);
	} else if (a->verdict.kind == VERDICT_OK) {
		t->asked.hosted = span_is(a->rule, "hosted");
		t->asked.discard = a->action == ANSWER_DISCARD;
		/* The access table alone holds before the header is there. */
		if (a->action == ANSWER_HOLD)
			txn_hold(t, "access-table", span_str(a->verdict.text));
		recipients_add(&t->recipients, &t->asked);
		session_log_warnings(s, a);
		session_reply(s, REPLY_RECIPIENT_OK);
	} else {
		t->refused++;
		session_reply_verdict(s, &a->verdict, a->rule);
	}
	t->asked = (struct recipient){.hash = 0};
	session_finish(s);
}

/* RFC 6531 3.4, RFC 6533 3. False if a reply was left. */
static bool
may_be_utf8(struct session *s, const struct rcpt_args *a)
{
	if (s->txn->utf8)
		return true;
	if (a->to.utf8)
		session_reply(s, REPLY_RECIPIENT_UTF8);
	else if (!utf8_is_ascii(a->orcpt))
		session_reply_detail(s, REPLY_PARAMETER_SYNTAX, span_str("ORCPT"));
	else
		return true;
	return false;
}

enum command_result
cmd_rcpt_run(struct session *s, const struct command *c)
{
	struct txn *t = s->txn;
	struct span to = address_span(&c->args.rcpt.to);

	if (!may_be_utf8(s, &c->args.rcpt))
		return COMMAND_FAILED;
	if (recipients_has(&t->recipients, to)) {
		session_reply(s, REPLY_RECIPIENT_OK);
		return COMMAND_DONE;
	}
	/* Those that had to be put off count too: they take memory and the directory's time. */
	if (t->recipients.n >= s->settings->recipient_limit ||
	    t->refused >= s->settings->recipient_limit || txn_is_full(t))
		return command_refuse(s, REPLY_TOO_MANY_RECIPIENTS);
	t->asked = (struct recipient){
	    .address = arena_copy(&t->strings, to),
	    .notify = arena_copy(&t->strings, c->args.rcpt.notify),
	    .orcpt = arena_copy(&t->strings, c->args.rcpt.orcpt),
	};
	session_ask(s, QUESTION_RCPT, on_answer);
	return COMMAND_WAITING;
}
