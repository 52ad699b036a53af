/* RSET (RFC 5321 4.1.1.5): ends the transaction, keeps everything else. */
#include "smtpd/session.h"
#include "smtpd/txn.h"
#include "smtpd/verbs.h"

enum command_result
cmd_rset_run(struct session *s, const struct command *c)
{
	(void)c;
	txn_free(&s->txn);
	session_reply(s, REPLY_OK);
	return COMMAND_DONE;
}
