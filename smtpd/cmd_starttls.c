/*
 * STARTTLS (RFC 3207). Nothing may stand behind it (the row's COMMAND_LAST):
 * commands that came in clear are not run inside TLS (CVE-2011-0411). After the 220
 * this session reads nothing any more; see smtpd/session_tls.h.
 */
#include "smtpd/session.h"
#include "smtpd/session_tls.h"
#include "smtpd/verbs.h"

enum command_result
cmd_starttls_run(struct session *s, const struct command *c)
{
	(void)c;
	if (s->tls != NULL)
		session_reply(s, REPLY_TLS_ALREADY);
	else if (!session_tls_is_offered(s))
		session_reply(s, REPLY_NOT_OFFERED);
	else if (!tls_is_prepared(s->server->tls))
		session_reply(s, REPLY_NO_TLS);
	else {
		session_reply(s, REPLY_START_TLS);
		session_set_state(s, SESSION_SECURING);
		return COMMAND_DONE;
	}
	return COMMAND_FAILED;
}
