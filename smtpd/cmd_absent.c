/*
 * Verbs that SMTP knows and that are not offered (502, RFC 5321 4.2.4), and words
 * of other protocols: those end the connection, since what follows them was
 * written for another server by somebody who may want it taken for commands.
 */
#include "smtpd/session.h"
#include "smtpd/verbs.h"

enum command_result
cmd_absent_run(struct session *s, const struct command *c)
{
	(void)c;
	return command_refuse(s, REPLY_NOT_OFFERED);
}

enum command_result
cmd_foreign_run(struct session *s, const struct command *c)
{
	(void)c;
	return command_refuse(s, REPLY_FOREIGN);
}
