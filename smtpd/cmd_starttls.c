/*
 * STARTTLS (RFC 3207). Nothing may stand behind it (the row's COMMAND_LAST):
 * commands that came in clear are not run inside TLS (CVE-2011-0411). Is there a
 * certificate to show? If that has to be asked, what comes meanwhile is not read by
 * this session either, and is no handshake. After the 220 this session reads
 * nothing any more; see smtpd/session_tls.h.
 */
#include "smtpd/session.h"
#include "smtpd/session_tls.h"
#include "smtpd/verbs.h"

static enum command_result
answer(struct session *s, const struct tls_identity *identity)
{
	if (identity == NULL)
		return command_refuse(s, REPLY_NO_TLS);
	session_reply(s, REPLY_START_TLS);
	session_set_state(s, SESSION_SECURING);
	return COMMAND_DONE;
}

static void
on_identity(struct tls_identity *identity, void *arg)
{
	struct session *s = arg;

	answer(s, identity);
	session_finish(s);
}

enum command_result
cmd_starttls_run(struct session *s, const struct command *c)
{
	struct tls_identity *identity;

	(void)c;
	if (s->tls != NULL || !session_tls_is_offered(s)) {
		session_reply(s, s->tls != NULL ? REPLY_TLS_ALREADY : REPLY_NOT_OFFERED);
		return COMMAND_FAILED;
	}
	s->identity_wait.fn = on_identity;
	s->identity_wait.arg = s;
	identity = tls_names_get(s->server->tls->names, span_str(""), &s->identity_wait);
	return identity != NULL ? answer(s, identity) : COMMAND_WAITING;
}
