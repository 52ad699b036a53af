/* NOOP (RFC 5321 4.1.1.9): an argument is allowed and means nothing. */
#include "smtpd/session.h"
#include "smtpd/verbs.h"

enum command_result
cmd_noop_run(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, REPLY_OK);
	return COMMAND_DONE;
}
