/*
 * BDAT (RFC 3030 2) is not offered. A client that sends it all the same sends as
 * many octets behind it as it says: the dispatcher has them dropped, so that no
 * octet of a message is ever run as a command. A size that cannot be read or
 * is larger than any message may be ends the connection, since then nobody
 * knows where commands begin again.
 */
#include "smtpd/session.h"
#include "smtpd/verbs.h"

int
cmd_bdat_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r)
{
	struct span size = span_cut(&arg, ' ');
	uint64_t n;

	(void)offers;
	r->reply = REPLY_CHUNK_SIZE;
	c->args.bdat.last = arg.p != NULL;
	if (arg.p != NULL && !span_is_nocase(span_trim(arg), "LAST"))
		return -1;
	if (span_to_u64(size, SIZE_MAX, &n) != 0)
		return -1;
	c->args.bdat.size = n;
	return 0;
}

enum command_result
cmd_bdat_run(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, REPLY_NOT_OFFERED);
	return COMMAND_FAILED;
}
