/*
 * VRFY (RFC 5321 3.5.3, 7.3): 252 for everybody. Whether there is a mailbox is
 * answered to RCPT, where asking costs something. SMTPUTF8 behind the name allows UTF-8 in it (RFC 6531 3.7.4.2).
 */
#include "common/utf8.h"
#include "smtpd/session.h"
#include "smtpd/verbs.h"

int
cmd_vrfy_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r)
{
	ptrdiff_t space = span_rindex(arg, ' ');
	bool utf8 = (offers & OFFER_SMTPUTF8) != 0 && space >= 0 &&
		    span_is_nocase(span_skip(arg, (size_t)space + 1), "SMTPUTF8");

	(void)c;
	r->reply = REPLY_ARGUMENT_MISSING;
	if (arg.len == 0)
		return -1;
	r->reply = REPLY_RECIPIENT_SYNTAX;
	r->detail = span_str("Malformed UTF-8");
	if (!utf8_valid(arg))
		return -1;
	*r = (struct refusal){.reply = REPLY_RECIPIENT_UTF8};
	return utf8 || utf8_is_ascii(arg) ? 0 : -1;
}

enum command_result
cmd_vrfy_run(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, REPLY_CANNOT_VERIFY);
	return COMMAND_DONE;
}
