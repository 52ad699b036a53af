/*
 * VRFY (RFC 5321 3.5.3, 7.3): 252 for everybody. Whether there is a mailbox is
 * answered to RCPT, where asking costs something.
 */
#include "smtpd/session.h"
#include "smtpd/verbs.h"

int
cmd_vrfy_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r)
{
	(void)offers, (void)c;
	r->reply = REPLY_ARGUMENT_MISSING;
	return arg.len > 0 ? 0 : -1;
}

enum command_result
cmd_vrfy_run(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, REPLY_CANNOT_VERIFY);
	return COMMAND_DONE;
}
