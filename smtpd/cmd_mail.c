/*
 * MAIL (RFC 5321 4.1.1.2) with SIZE (RFC 1870), BODY (RFC 6152), RET and ENVID
 * (RFC 3461), AUTH (RFC 4954), SMTPUTF8 (RFC 6531), HOLDFOR and HOLDUNTIL (RFC 4865). A parameter is known where its extension is offered. The
 * transaction is made before the directory is asked, and ends if the answer is no;
 * no command runs in between.
 */
#include <inttypes.h>

#include "common/clock.h"
#include "common/xtext.h"
#include "conf/refusal.h"
#include "smtpd/dsn_param.h"
#include "smtpd/future_release.h"
#include "smtpd/param.h"
#include "smtpd/session.h"
#include "smtpd/session_facts.h"
#include "smtpd/txn.h"
#include "smtpd/verbs.h"

/* The parameters that there are, each with the extension that brings it. */
enum mail_param {
	PARAM_SIZE,
	PARAM_BODY,
	PARAM_RET,
	PARAM_ENVID,
	PARAM_AUTH,
	PARAM_UTF8,
	PARAM_HOLD_FOR,
	PARAM_HOLD_UNTIL,
	PARAM_COUNT
};

static const struct {
	const char *keyword;
	unsigned offer;
	bool bare; /* without a value */
} params[PARAM_COUNT] = {
    [PARAM_SIZE] = {"SIZE", OFFER_SIZE, false},
    [PARAM_BODY] = {"BODY", OFFER_8BITMIME, false},
    [PARAM_RET] = {"RET", OFFER_DSN, false},
    [PARAM_ENVID] = {"ENVID", OFFER_DSN, false},
    [PARAM_AUTH] = {"AUTH", OFFER_AUTH, false},
    [PARAM_UTF8] = {"SMTPUTF8", OFFER_SMTPUTF8, true},
    [PARAM_HOLD_FOR] = {"HOLDFOR", OFFER_FUTURE_RELEASE, false},
    [PARAM_HOLD_UNTIL] = {"HOLDUNTIL", OFFER_FUTURE_RELEASE, false},
};

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

/*
 * RFC 4954 5: who first submitted the message, as somebody says whom we trust no further than his login:
 * as if it were AUTH=<>, which that section allows. It still has to be an address.
 */
static int
parse_submitter(struct span value)
{
	struct address a;
	struct buf text;
	const char *why;
	int r;

	if (span_is(value, "<>"))
		return 0;
	buf_init(&text, ADDRESS_MAX);
	r = xtext_decode(value, &text) != 0 ||
		    address_parse(buf_span(&text), ADDRESS_UTF8, &a, &why) != 0
		? -1
		: 0;
	buf_release(&text);
	return r;
}

static int
parse_value(enum mail_param which, struct span value, struct mail_args *m)
{
	switch (which) {
	case PARAM_SIZE:
		return parse_size(value, &m->size);
	case PARAM_BODY:
		return parse_body(value, &m->eight_bit);
	case PARAM_RET:
		m->ret = value;
		return dsn_param_ret_valid(value) ? 0 : -1;
	case PARAM_ENVID:
		m->envid = value;
		return dsn_param_envid_valid(value) ? 0 : -1;
	case PARAM_AUTH:
		return parse_submitter(value);
	case PARAM_UTF8:
		m->utf8 = true;
		return 0;
	case PARAM_HOLD_FOR: /* one of the two (RFC 4865 3) */
		return m->hold_until != 0 ? -1
					  : future_release_parse_interval(value, &m->hold_for);
	case PARAM_HOLD_UNTIL:
		return m->hold_for != 0 ? -1 : future_release_parse_time(value, &m->hold_until);
	case PARAM_COUNT:
		break;
	}
	return -1;
}

static int
take_param(const struct param *p, unsigned offers, unsigned *seen, struct mail_args *m,
    struct refusal *r)
{
	unsigned which = 0;

	while (which < PARAM_COUNT && !param_is(p, params[which].keyword))
		which++;
	if (which == PARAM_COUNT || (params[which].offer & offers) == 0)
		return command_wrong(r, REPLY_PARAMETER_UNKNOWN, p->keyword);
	/* RFC 3030 3: content that is not lines cannot be kept exactly, nor sent on by DATA. */
	if (which == PARAM_BODY && p->has_value && span_is_nocase(p->value, "BINARYMIME"))
		return command_wrong(r, REPLY_PARAMETER_UNKNOWN, span_str("BODY=BINARYMIME"));
	if ((*seen & 1U << which) != 0 || p->has_value == params[which].bare ||
	    parse_value((enum mail_param)which, p->value, m) != 0)
		return command_wrong(r, REPLY_PARAMETER_SYNTAX, p->keyword);
	*seen |= 1U << which;
	return 0;
}

int
cmd_mail_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r)
{
	struct mail_args *m = &c->args.mail;
	struct param p;
	unsigned seen = 0;
	const char *why;
	int more;

	if (!span_starts_with_nocase(arg, "FROM:"))
		return command_wrong(r, REPLY_SYNTAX, span_str("MAIL FROM:<address>"));
	arg = span_trim(span_skip(arg, 5));
	*m = (struct mail_args){.size = 0};
	if (address_parse_path(&arg, ADDRESS_ALLOW_EMPTY | ADDRESS_UTF8, &m->from, &why) != 0)
		return command_wrong(r, REPLY_SENDER_SYNTAX, span_str(why));
	if (arg.len > 0 && arg.p[0] != ' ')
		return command_wrong(r, REPLY_SYNTAX, span_str(REFUSAL_AFTER_PATH));
	while ((more = param_next(&arg, &p)) == 1)
		if (take_param(&p, offers, &seen, m, r) != 0)
			return -1;
	if (more != 0)
		return command_wrong(r, REPLY_PARAMETER_SYNTAX, p.keyword);
	return !m->from.utf8 || m->utf8 ? 0 : command_wrong(r, REPLY_SENDER_UTF8, span_str(""));
}

static void
on_answer(const struct answer *a, void *arg)
{
	struct session *s = arg;

	if (a->verdict.kind == VERDICT_OK) {
		session_facts_want(s, a);
		s->txn->counted = a->count;
		session_reply(s, REPLY_SENDER_OK);
	} else {
		session_reply_verdict(s, &a->verdict, a->rule);
		txn_free(&s->txn);
	}
	session_finish(s);
}

/* When the message is to be released; 0: at once, -1: later than it would be kept. A time that is past is at once. */
static int64_t
release_of(const struct session *s, const struct mail_args *m)
{
	int64_t now = clock_wall(), release = m->hold_until;

	if (m->hold_for > 0)
		release = now + (int64_t)m->hold_for;
	if (release <= now)
		return 0;
	return (uint64_t)(release - now) <= s->settings->future_release ? release : -1;
}

static enum command_result
refuse_with_number(struct session *s, enum smtp_reply_id reply, uint64_t number)
{
	char digits[24];
	int n = snprintf(digits, sizeof digits, "%" PRIu64, number);

	session_reply_detail(s, reply, span_make(digits, (size_t)n));
	return COMMAND_FAILED;
}

enum command_result
cmd_mail_run(struct session *s, const struct command *c)
{
	const struct mail_args *m = &c->args.mail;
	uint64_t limit = s->settings->message_size_limit;
	int64_t release = release_of(s, m);

	if (s->settings->transaction_limit > 0 && ++s->mails > s->settings->transaction_limit)
		return command_refuse(s, REPLY_TOO_MANY_TRANSACTIONS);
	if (release < 0)
		return refuse_with_number(
		    s, REPLY_RELEASE_TOO_LATE, s->settings->future_release);
	if (m->size > limit)
		return refuse_with_number(s, REPLY_TOO_BIG, limit);
	if (!s->server->spool_ops->has_room(s->server->spool))
		return command_refuse(s, REPLY_NO_ROOM);
	s->txn = txn_new(address_span(&m->from));
	s->txn->began_ms = s->server->clock();
	s->txn->declared = m->size;
	s->txn->eight_bit = m->eight_bit;
	s->txn->utf8 = m->utf8;
	s->txn->release = release;
	s->txn->ret = arena_copy(&s->txn->strings, m->ret);
	s->txn->envid = arena_copy(&s->txn->strings, m->envid);
	session_ask(s, QUESTION_MAIL, on_answer);
	return COMMAND_WAITING;
}
