/*
 * fuzz_fact: any octets as a fact, a want, and a filter of a DNS list's replies. What is
 * taken is said again as it was, but for leading zeros of octets.
 */
#include <string.h>

#include "conf/fact.h"
#include "conf/reply_filter.h"
#include "tests/fuzz/must.h"

static void
check_fact(struct span s)
{
	struct fact f, again;
	struct buf b;

	if (fact_parse(s, &f) != 0)
		return;
	MUST(f.nreplies <= FACT_REPLIES_MAX && (f.nreplies > 0) == (f.result == FACT_LISTED));
	MUST(strlen(f.name) > 0 && strlen(f.name) <= 253);
	buf_init(&b, FACT_TEXT_MAX);
	fact_format(&f, &b);
	MUST(b.len > 0 && !span_has_control(buf_span(&b)));
	MUST(fact_parse(buf_span(&b), &again) == 0 && again.nreplies == f.nreplies);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_make(data, size), name;
	char text[REPLY_FILTER_TEXT_SIZE];
	struct reply_filter f, again;
	enum fact_kind kind;

	check_fact(s);
	if (fact_want_parse(s, &kind, &name) == 0)
		MUST(name.len > 0 && name.len <= 253 && !span_has_control(name));
	if (reply_filter_parse(s, &f) == 0) {
		MUST(reply_filter_parse(span_str(reply_filter_format(&f, text)), &again) == 0);
		MUST(memcmp(&f, &again, sizeof f) == 0);
	}
	return 0;
}
