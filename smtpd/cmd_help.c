/* HELP (RFC 5321 4.1.1.8): the same for every argument. */
#include "smtpd/session.h"
#include "smtpd/verbs.h"

enum command_result
cmd_help_run(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, REPLY_HELP);
	return COMMAND_DONE;
}
