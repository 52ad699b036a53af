/*
 * The values of RFC 3461 as a compromised smtpd may have left them in an envelope: what the queue makes of them
 * is printable ASCII on one line, and what it passes on to other servers is a value and nothing more.
 */
#include "common/xtext.h"
#include "queue/dsn.h"
#include "tests/fuzz/must.h"

static void
check_printable(const struct buf *b, size_t max, bool is_value)
{
	MUST(b->len <= max);
	for (size_t i = 0; i < b->len; i++)
		MUST(b->p[i] >= (is_value ? 0x21 : 0x20) && b->p[i] < 0x7f &&
		     (!is_value || b->p[i] != '='));
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct span s = span_make(data, size);
	unsigned set = dsn_notify_parse(s);
	struct buf b, again;

	MUST(set != 0 && set < 32);
	MUST((set & NOTIFY_NEVER) == 0 || set == NOTIFY_NEVER);
	MUST((set & NOTIFY_IMPLIED) != 0 ||
	     dsn_notify_parse(span_str(dsn_notify_format(set))) == set);
	buf_init(&b, size * 10 + 100);
	buf_init(&again, size * 10 + 100);
	if (xtext_decode(s, &b) == 0) {
		MUST(xtext_encode(buf_span(&b), &again) == 0);
		buf_clear(&b);
		MUST(xtext_decode(buf_span(&again), &b) == 0);
	}
	buf_clear(&b);
	if (dsn_add_given_orcpt(&b, s) == 0) {
		check_printable(&b, 500 + 20, true);
		MUST(span_index(buf_span(&b), ';') > 0);
	}
	buf_clear(&b);
	if (dsn_add_original(&b, s) == 0)
		check_printable(&b, 900, false);
	buf_clear(&b);
	MUST(dsn_add_address(&b, s) == 0);
	check_printable(&b, 900, false);
	buf_clear(&b);
	MUST(dsn_add_ascii(&b, s) == 0);
	check_printable(&b, size * 10, false);
	buf_clear(&b);
	if (dsn_add_orcpt(&b, s) == 0)
		check_printable(&b, size * 10 + 10, true);
	buf_release(&b);
	buf_release(&again);
	return 0;
}
