/* test_proxy_header: the PROXY header, whole, in part, and malformed. */
#include "smtpd/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/unit/escapes.h"

#define ROWS(a) (sizeof(a) / sizeof *(a))
#define SIG	"\\r\\n\\r\\n\\x00\\r\\nQUIT\\n"
#define TCP4                                                                                   \
	SIG "\\x21\\x11\\x00\\x0c\\xc0\\x00\\x02\\x07\\xc6\\x33\\x64\\x01\\x30\\x39\\x00\\x19"
#define SIX "\\x20\\x01\\x0d\\xb8\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x07"
#define MAPPED                                                                                 \
	"\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xff\\xff\\xc0\\x00\\x02\\x09"

/* want: the client, "-" for nobody, NULL for a header that is none. */
static const struct row {
	const char *name, *in, *want;
	uint16_t port;
} rows[] = {
    {"v1", "PROXY TCP4 192.0.2.7 198.51.100.1 12345 25\\r\\n", "192.0.2.7", 12345},
    {"v1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 12345 25\\r\\n", "2001:db8::7", 12345},
    {"v1, mapped", "PROXY TCP6 ::ffff:192.0.2.9 ::ffff:192.0.2.1 1 25\\r\\n", "192.0.2.9", 1},
    {"v1, highest ports", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\\r\\n",
	"255.255.255.255", 65535},
    {"v1, longest",
	"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\\r\\n",
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535},
    {"v1, unknown", "PROXY UNKNOWN\\r\\n", "-", 0},
    {"v1, unknown with addresses", "PROXY UNKNOWN ffff::1 ffff::2 1 2\\r\\n", "-", 0},
    {"v1, family", "PROXY TCP5 192.0.2.7 198.51.100.1 12345 25\\r\\n", NULL, 0},
    {"v1, lower case", "proxy TCP4 192.0.2.7 198.51.100.1 12345 25\\r\\n", NULL, 0},
    {"v1, family in lower case", "PROXY tcp4 192.0.2.7 198.51.100.1 12345 25\\r\\n", NULL, 0},
    {"v1, IPv6 as TCP4", "PROXY TCP4 2001:db8::7 2001:db8::1 12345 25\\r\\n", NULL, 0},
    {"v1, IPv4 as TCP6", "PROXY TCP6 192.0.2.7 198.51.100.1 12345 25\\r\\n", NULL, 0},
    {"v1, octal", "PROXY TCP4 192.0.2.07 198.51.100.1 12345 25\\r\\n", NULL, 0},
    {"v1, port above 16 bits", "PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\\r\\n", NULL, 0},
    {"v1, port with a zero", "PROXY TCP4 192.0.2.7 198.51.100.1 012 25\\r\\n", NULL, 0},
    {"v1, signed port", "PROXY TCP4 192.0.2.7 198.51.100.1 +1 25\\r\\n", NULL, 0},
    {"v1, two spaces", "PROXY TCP4  192.0.2.7 198.51.100.1 12345 25\\r\\n", NULL, 0},
    {"v1, space at the end", "PROXY TCP4 192.0.2.7 198.51.100.1 12345 25 \\r\\n", NULL, 0},
    {"v1, port missing", "PROXY TCP4 192.0.2.7 198.51.100.1 12345\\r\\n", NULL, 0},
    {"v1, nothing", "PROXY \\r\\n", NULL, 0},
    {"v1, LF alone", "PROXY TCP4 192.0.2.7 198.51.100.1 12345 25\\n", NULL, 0},
    {"v1, CR within", "PROXY TCP4 192.0.2.7\\r 198.51.100.1 12345 25\\r\\n", NULL, 0},
    {"v1, too long", "PROXY UNKNOWN {*92:x}\\r\\n", NULL, 0},
    {"no header", "EHLO c.test\\r\\n", NULL, 0},
    {"nearly", "PROXZ TCP4 192.0.2.7 198.51.100.1 12345 25\\r\\n", NULL, 0},
    {"TLS", "\\x16\\x03\\x01\\x02\\x00", NULL, 0},
    {"v2", TCP4, "192.0.2.7", 12345},
    {"v2, IPv6", SIG "\\x21\\x21\\x00\\x24" SIX SIX "\\x30\\x39\\x00\\x19", "2001:db8::7",
	12345},
    {"v2, mapped", SIG "\\x21\\x21\\x00\\x24" MAPPED SIX "\\x30\\x39\\x00\\x19", "192.0.2.9",
	12345},
    {"v2, LOCAL", SIG "\\x20\\x00\\x00\\x00", "-", 0},
    {"v2, LOCAL with what means nothing", SIG "\\x20\\xff\\x00\\x00", "-", 0},
    {"v2, unspecified", SIG "\\x21\\x00\\x00\\x00", "-", 0},
    {"v2, too short for IPv4", SIG "\\x21\\x11\\x00\\x0b{*11:x}", NULL, 0},
    {"v2, too short for IPv6", SIG "\\x21\\x21\\x00\\x23{*35:x}", NULL, 0},
    {"v2, too short for a path", SIG "\\x21\\x31\\x00\\xd7{*215:x}", NULL, 0},
    {"v2, UDP", SIG "\\x21\\x12\\x00\\x0c{*12:x}", NULL, 0},
    {"v2, family", SIG "\\x21\\x41\\x00\\x0c{*12:x}", NULL, 0},
    {"v2, version 1", SIG "\\x11\\x11\\x00\\x0c{*12:x}", NULL, 0},
    {"v2, version 3", SIG "\\x31\\x11\\x00\\x0c{*12:x}", NULL, 0},
    {"v2, command 2", SIG "\\x22\\x11\\x00\\x0c{*12:x}", NULL, 0},
    {"v2, signature", "\\r\\n\\r\\n\\x00\\r\\nQUIX\\n\\x21\\x11\\x00\\x0c{*12:x}", NULL, 0},
};

/* What of a header the parser is shown. */
static struct span
seen(struct span in, size_t n)
{
	return span_first(in, n < PROXY_HEADER_SEEN ? n : PROXY_HEADER_SEEN);
}

static void
check(const struct row *r, struct span in)
{
	struct proxy_header h;
	char text[NETADDR_TEXT_SIZE];
	const char *why;
	enum proxy_header_result got = proxy_header_parse(seen(in, in.len), &h, &why);

	if (got != (r->want != NULL ? PROXY_HEADER_WHOLE : PROXY_HEADER_BAD))
		fail_msg("%s: got %d, %s", r->name, (int)got, why);
	if (r->want == NULL) {
		assert_non_null(why);
		return;
	}
	assert_int_equal(h.len, in.len);
	assert_int_equal(h.kind, r->want[0] == '-' ? PROXY_HEADER_NOBODY : PROXY_HEADER_CLIENT);
	if (r->want[0] != '-') {
		assert_string_equal(netaddr_format(&h.client, text), r->want);
		assert_int_equal(h.client.port, r->port);
	}
}

static void
headers(void **state)
{
	struct buf in;

	(void)state;
	buf_init(&in, 1U << 17);
	for (size_t i = 0; i < ROWS(rows); i++) {
		buf_clear(&in);
		assert_true(escapes_expand(span_str(rows[i].in), &in));
		check(&rows[i], buf_span(&in));
	}
	buf_release(&in);
}

/* A part of a good header is never bad, and a whole one the same whatever follows. */
static void
parts(void **state)
{
	struct proxy_header h, again;
	const char *why;
	struct buf in;

	(void)state;
	buf_init(&in, 1U << 17);
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (rows[i].want == NULL)
			continue;
		buf_clear(&in);
		assert_true(escapes_expand(span_str(rows[i].in), &in));
		for (size_t n = 0; n < in.len; n++)
			if (proxy_header_parse(seen(buf_span(&in), n), &h, &why) !=
			    PROXY_HEADER_MORE)
				fail_msg("%s: %zu octets are enough", rows[i].name, n);
		assert_int_equal(proxy_header_parse(seen(buf_span(&in), in.len), &h, &why),
		    PROXY_HEADER_WHOLE);
		buf_add_str(&in, "EHLO c.test\r\n");
		assert_int_equal(proxy_header_parse(seen(buf_span(&in), in.len), &again, &why),
		    PROXY_HEADER_WHOLE);
		assert_int_equal(h.len, again.len);
	}
	buf_release(&in);
}

/* Of TLVs nothing is looked at, so nothing of them is waited for; their length counts. */
static void
what_is_behind_the_addresses(void **state)
{
	static const struct {
		const char *in;
		uint32_t len;
	} more[] = {
	    {SIG "\\x21\\x11\\xff\\xff\\xc0\\x00\\x02\\x07{*8:x}", 16 + 65535},
	    {SIG "\\x21\\x11\\x00\\x10\\xc0\\x00\\x02\\x07{*8:x}\\x04\\x00\\x01x", 32},
	    {SIG "\\x21\\x31\\x00\\xd8", 232},
	    {SIG "\\x20\\x11\\x00\\x0c", 28},
	    {SIG "\\x21\\x00\\x01\\x00", 272},
	};
	struct proxy_header h;
	const char *why;
	struct buf in;

	(void)state;
	buf_init(&in, 1U << 17);
	for (size_t i = 0; i < ROWS(more); i++) {
		buf_clear(&in);
		assert_true(escapes_expand(span_str(more[i].in), &in));
		assert_int_equal(
		    proxy_header_parse(buf_span(&in), &h, &why), PROXY_HEADER_WHOLE);
		assert_int_equal(h.len, more[i].len);
	}
	buf_release(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(headers),
	    cmocka_unit_test(parts),
	    cmocka_unit_test(what_is_behind_the_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
