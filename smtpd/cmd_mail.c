/*
 * MAIL (RFC 5321 4.1.1.2) with SIZE (RFC 1870) and BODY (RFC 6152). The
 * transaction is made before the directory is asked, and ends if the answer is no;
 * no command runs in between.
 */
#include <inttypes.h>

#include "smtpd/param.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"
#include "smtpd/verbs.h"

enum seen {
	SEEN_SIZE = 1,
	SEEN_BODY = 2,
};

static int
wrong(struct refusal *r, enum smtp_reply_id reply, struct span detail)
{
	*r = (struct refusal){reply, detail};
	return -1;
}

/* RFC 1870 3: 1 to 20 digits, so more than 64 bits hold; beyond those every limit is exceeded anyway. */
static int
parse_size(struct span value, uint64_t *size)
{
	if (value.len == 0 || value.len > 20)
		return -1;
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] < '0' || value.p[i] > '9')
			return -1;
	if (span_to_u64(value, UINT64_MAX, size) != 0)
		*size = UINT64_MAX;
	return 0;
}

static int
parse_body(struct span value, bool *eight_bit)
{
	*eight_bit = span_is_nocase(value, "8BITMIME");
	return *eight_bit || span_is_nocase(value, "7BIT") ? 0 : -1;
}

static int
take_param(const struct param *p, unsigned *seen, struct mail_args *m, struct refusal *r)
{
	unsigned bit = param_is(p, "SIZE") ? SEEN_SIZE : param_is(p, "BODY") ? SEEN_BODY : 0;
	int bad;

	if (bit == 0)
		return wrong(r, REPLY_PARAMETER_UNKNOWN, p->keyword);
	if ((*seen & bit) != 0 || !p->has_value)
		return wrong(r, REPLY_PARAMETER_SYNTAX, p->keyword);
	*seen |= bit;
	bad = bit == SEEN_SIZE ? parse_size(p->value, &m->size)
			       : parse_body(p->value, &m->eight_bit);
	return bad == 0 ? 0 : wrong(r, REPLY_PARAMETER_SYNTAX, p->keyword);
}

int
cmd_mail_parse(struct span arg, bool esmtp, struct command *c, struct refusal *r)
{
	struct mail_args *m = &c->args.mail;
	struct param p;
	unsigned seen = 0;
	const char *why;
	int more;

	if (!span_starts_with_nocase(arg, "FROM:"))
		return wrong(r, REPLY_SYNTAX, span_str("MAIL FROM:<address>"));
	arg = span_trim(span_skip(arg, 5));
	m->size = 0;
	m->eight_bit = false;
	if (address_parse_path(&arg, ADDRESS_ALLOW_EMPTY, &m->from, &why) != 0)
		return wrong(r, REPLY_SENDER_SYNTAX, span_str(why));
	if (arg.len > 0 && arg.p[0] != ' ')
		return wrong(r, REPLY_SYNTAX, span_str("a space comes before a parameter"));
	while ((more = param_next(&arg, &p)) == 1) {
		if (!esmtp)
			return wrong(r, REPLY_PARAMETER_UNKNOWN, p.keyword);
		if (take_param(&p, &seen, m, r) != 0)
			return -1;
	}
	return more == 0 ? 0 : wrong(r, REPLY_PARAMETER_SYNTAX, p.keyword);
}

static void
on_answer(const struct answer *a, void *arg)
{
	struct session *s = arg;

	if (a->verdict.kind == VERDICT_OK) {
		session_reply(s, REPLY_SENDER_OK);
	} else {
		session_reply_verdict(s, &a->verdict, a->rule);
		txn_free(&s->txn);
	}
	session_finish(s);
}

enum command_result
cmd_mail_run(struct session *s, const struct command *c)
{
	const struct mail_args *m = &c->args.mail;
	uint64_t limit = s->settings->message_size_limit;
	char digits[24];

	if (m->size > limit) {
		int n = snprintf(digits, sizeof digits, "%" PRIu64, limit);

		session_reply_detail(s, REPLY_TOO_BIG, span_make(digits, (size_t)n));
		return COMMAND_FAILED;
	}
	if (!s->server->spool_ops->has_room(s->server->spool)) {
		session_reply(s, REPLY_NO_ROOM);
		return COMMAND_FAILED;
	}
	s->txn = txn_new(address_span(&m->from));
	s->txn->declared = m->size;
	s->txn->eight_bit = m->eight_bit;
	session_ask(s, QUESTION_MAIL, on_answer);
	return COMMAND_WAITING;
}
