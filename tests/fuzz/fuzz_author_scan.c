/*
 * fuzz_author_scan: any octets as a message. Whatever the cut, the same authors come out, each an address
 * in its canonical form; a message without one is unclear.
 */
#include <string.h>

#include "common/address.h"
#include "smtpd/author_scan.h"
#include "tests/fuzz/must.h"

static void
look(const struct author_scan *s)
{
	struct span rest = buf_span(&s->list);
	unsigned n = 0;

	for (; rest.len > 0; n++) {
		struct span line = span_cut(&rest, '\n'), field = span_cut(&line, ' ');
		struct address a;
		const char *why;

		MUST(span_is(field, "From") || span_is(field, "Sender"));
		MUST(address_parse(line, ADDRESS_UTF8, &a, &why) == 0);
		MUST(span_eq(line, address_span(&a)));
	}
	MUST(n == s->n && n <= AUTHOR_SCAN_MAX && s->from <= n);
	MUST(s->done && (s->from > 0 || s->unclear != NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct author_scan *whole = author_scan_new(), *cut = author_scan_new();
	size_t half = size > 0 ? data[0] % size : 0;

	author_scan_feed(whole, span_make(data, size));
	author_scan_finish(whole);
	author_scan_feed(cut, span_make(data, half));
	author_scan_feed(cut, span_make(data + half, size - half));
	author_scan_finish(cut);
	look(whole);
	look(cut);
	MUST(span_eq(buf_span(&whole->list), buf_span(&cut->list)));
	MUST((whole->unclear == NULL) == (cut->unclear == NULL));
	author_scan_free(&whole);
	author_scan_free(&cut);
	return 0;
}
