/*
 * XSUBMITTER uid, on the submit socket, from the queue manager's user alone: the
 * session submits a file from drop/ for its owner. Questions to the directory,
 * the trace field and the envelope name that user from now on.
 */
#include "smtpd/session.h"
#include "smtpd/verbs.h"

int
cmd_xsubmitter_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r)
{
	uint64_t uid;

	(void)offers;
	*r = (struct refusal){REPLY_SYNTAX, span_str("XSUBMITTER uid")};
	/* The highest number means "nobody" to the kernel. */
	if (span_to_u64(arg, UINT32_MAX - 1, &uid) != 0)
		return -1;
	c->args.uid = (uint32_t)uid;
	return 0;
}

enum command_result
cmd_xsubmitter_run(struct session *s, const struct command *c)
{
	s->origin.uid = c->args.uid;
	session_reply(s, REPLY_OK);
	return COMMAND_DONE;
}
