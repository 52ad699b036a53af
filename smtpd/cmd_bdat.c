/*
 * BDAT (RFC 3030 2): a chunk of exactly as many octets as it says. What becomes of them is in
 * smtpd/session_content.h. Invariants: the octets of a chunk are content or dropped, never
 * commands, whatever is wrong with it, and the reply leaves behind them; a message of which a
 * chunk was refused is over, so that no other chunk can take that one's place. A size that
 * cannot be read, or is out of all proportion, ends the connection, since then nobody knows
 * where commands begin again.
 */
#include <inttypes.h>

#include "smtpd/content.h"
#include "smtpd/session.h"
#include "smtpd/session_content.h"
#include "smtpd/txn.h"
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

/* The chunk is dropped, and the message with it. */
static enum command_result
refuse(struct session *s, enum smtp_reply_id id, struct span detail)
{
	session_reply_detail(s, id, detail);
	txn_free(&s->txn);
	return COMMAND_FAILED;
}

enum command_result
cmd_bdat_run(struct session *s, const struct command *c)
{
	uint64_t size = c->args.bdat.size, limit = session_content_limit(s);
	uint64_t had = s->txn->content != NULL ? s->txn->content->size : 0;
	unsigned replies = s->replies;
	char digits[24];

	if (!s->esmtp || (session_offers(s) & OFFER_CHUNKING) == 0)
		return command_refuse(s, REPLY_NOT_OFFERED);
	if (size > limit || had > limit - size) {
		int n = snprintf(digits, sizeof digits, "%" PRIu64, limit);

		return refuse(s, REPLY_TOO_BIG, span_make(digits, (size_t)n));
	}
	if (s->txn->content == NULL && !session_content_begin(s, true))
		return refuse(s, REPLY_NO_ROOM, span_make("", 0));
	s->skip = 0;
	session_content_chunk(s, size, c->args.bdat.last);
	return s->replies > replies ? COMMAND_DONE : COMMAND_LATER;
}
