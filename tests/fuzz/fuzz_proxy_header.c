/*
 * fuzz_proxy_header: any octets as the beginning of a connection. Invariants: a part of what is a
 * header is never refused and never whole; what is whole stays the same whatever follows, is
 * not shorter than any header, and of version 1 has no octet behind its line; an address is one.
 */
#include "smtpd/proxy_header.h"

#include <string.h>

#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_whole(struct span in, const struct proxy_header *h)
{
	MUST(h->len >= 15 && h->len <= 16 + 65535);
	if (in.p[0] == 'P')
		MUST(h->len <= in.len && h->len <= PROXY_HEADER_SEEN &&
		     memcmp(in.p + h->len - 2, "\r\n", 2) == 0);
	if (h->kind == PROXY_HEADER_CLIENT)
		MUST(h->client.family == AF_INET || h->client.family == AF_INET6);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size < PROXY_HEADER_SEEN ? size : PROXY_HEADER_SEEN);
	enum proxy_header_result before = PROXY_HEADER_MORE;
	struct proxy_header first = {.len = 0}, h;
	const char *why;

	for (size_t n = 0; n <= in.len; n++) {
		enum proxy_header_result r = proxy_header_parse(span_first(in, n), &h, &why);

		MUST(before == PROXY_HEADER_MORE || r == before);
		MUST(r != PROXY_HEADER_MORE || n < PROXY_HEADER_SEEN);
		if (r == PROXY_HEADER_WHOLE) {
			check_whole(span_first(in, n), &h);
			if (before == PROXY_HEADER_MORE)
				first = h;
			MUST(first.len == h.len && first.kind == h.kind &&
			     netaddr_equal_ip(&first.client, &h.client));
		}
		before = r;
	}
	return 0;
}
