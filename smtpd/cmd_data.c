/*
 * DATA (RFC 5321 4.1.1.4): 354. What follows it, up to the reply, is in
 * smtpd/session_content.h.
 */
#include "smtpd/session.h"
#include "smtpd/session_content.h"
#include "smtpd/verbs.h"

enum command_result
cmd_data_run(struct session *s, const struct command *c)
{
	(void)c;
	if (!session_content_begin(s, false))
		return command_refuse(s, REPLY_NO_ROOM);
	session_reply(s, REPLY_SEND_CONTENT);
	session_set_state(s, SESSION_CONTENT);
	return COMMAND_DONE;
}
