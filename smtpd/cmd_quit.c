/* QUIT (RFC 5321 4.1.1.10): at any time, even to a client that was refused. A transaction is dropped with the session. */
#include "smtpd/session.h"
#include "smtpd/verbs.h"

enum command_result
cmd_quit_run(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, REPLY_CLOSING);
	return COMMAND_DONE;
}
