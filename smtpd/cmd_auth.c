/*
 * AUTH (RFC 4954): nobody can log in here, so every attempt fails. Who goes on trying passwords
 * all the same is sent away.
 */
#include "smtpd/session.h"
#include "smtpd/verbs.h"

enum command_result
cmd_auth_run(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, ++s->logins < s->settings->auth_failure_limit ? REPLY_NOT_OFFERED
								       : REPLY_TOO_MANY_LOGINS);
	return COMMAND_FAILED;
}
