/*
 * fuzz_reply: any octets as SMTP replies, whole and in pieces: the same replies
 * come out, within their bounds, and each gives a verdict fit for a log.
 */
#include <string.h>

#include "common/limits.h"
#include "common/utf8.h"
#include "deliver/reply.h"
#include "tests/fuzz/must.h"

static void
check_verdict(const struct reply *r)
{
	struct verdict v;

	reply_verdict(r, &v);
	MUST(r->code >= 200 && r->code <= 599 && v.code == r->code);
	MUST(verdict_status_valid(span_str(v.status)));
	MUST((v.kind == VERDICT_PERMANENT) == (r->code >= 500));
	MUST((v.kind == VERDICT_TEMPORARY) == (r->code / 100 == 4));
	MUST(!span_has_control(span_str(v.text)) && utf8_valid(span_str(v.text)));
}

/* Replies in pieces of n octets, as one number: their codes, texts and the end. */
static size_t
read_all(struct span in, size_t n)
{
	enum reply_state state = REPLY_MORE;
	struct reply r;
	size_t sum = 0;

	reply_init(&r);
	while (in.len > 0 && state != REPLY_BAD) {
		struct span piece = span_first(in, n), rest = piece;

		state = reply_feed(&r, &rest);
		MUST(rest.len <= piece.len && (state != REPLY_MORE || rest.len == 0));
		MUST(r.text.len <= REMOTE_REPLY_MAX && r.lines <= REMOTE_REPLY_LINES_MAX);
		in = span_skip(in, piece.len - rest.len);
		if (state != REPLY_DONE)
			continue;
		check_verdict(&r);
		sum = sum * 31 + (size_t)r.code * 1000 + r.text.len;
		reply_clear(&r);
	}
	reply_release(&r);
	return sum * 3 + (size_t)state;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	size_t whole = read_all(in, size > 0 ? size : 1);

	MUST(read_all(in, 1) == whole);
	MUST(read_all(in, 7) == whole);
	return 0;
}
