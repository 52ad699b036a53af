/* test_received: the trace field cannot be broken out of, and is what RFC 5321 4.4 asks for. */
#include "smtpd/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
format(const struct received *r, struct buf *out)
{
	buf_init(out, 4096);
	received_format(r, out);
}

static void
from_the_network(void **state)
{
	struct netaddr client;
	struct received r = {.hostname = span_str("mx.test"),
	    .helo = span_str("c_test"),
	    .client = &client,
	    .protocol = "ESMTP",
	    .id = "0123456789ABC",
	    .recipient = span_str("bob@domain1.com"),
	    .when = 1784000000};
	struct buf out;

	(void)state;
	assert_int_equal(netaddr_parse(span_str("2001:db8::1"), &client), 0);
	format(&r, &out);
	assert_string_equal(buf_str(&out),
	    "Received: from c_test ([IPv6:2001:db8::1])\n\tby mx.test (Postrider) with ESMTP "
	    "id "
	    "0123456789ABC\n\tfor <bob@domain1.com>;\n\tTue, 14 Jul 2026 03:33:20 +0000\n");
	buf_release(&out);
}

static void
with_a_name(void **state)
{
	struct netaddr client;
	struct received r = {.hostname = span_str("mx.test"),
	    .helo = span_str("c.test"),
	    .name = span_str("mail.test"),
	    .client = &client,
	    .protocol = "SMTP",
	    .id = "0123456789ABC",
	    .when = 1784000000};
	struct buf out;

	(void)state;
	assert_int_equal(netaddr_parse(span_str("192.0.2.1"), &client), 0);
	format(&r, &out);
	assert_int_equal(
	    strncmp(buf_str(&out),
		"Received: from c.test (mail.test [192.0.2.1])\n\tby mx.test ", 58),
	    0);
	buf_release(&out);
	r.name = span_str("mail.test)\nX: y");
	format(&r, &out);
	assert_non_null(strstr(buf_str(&out), "(mail.test??X:?y [192.0.2.1])"));
	buf_release(&out);
}

static void
from_a_local_program(void **state)
{
	struct received r = {.hostname = span_str("mx.test"),
	    .helo = span_str("mx.test"),
	    .uid = 1000,
	    .protocol = "ESMTP",
	    .id = "0123456789ABC",
	    .when = 1784000000};
	struct buf out;

	(void)state;
	format(&r, &out);
	assert_string_equal(buf_str(&out),
	    "Received: by mx.test (Postrider, from userid 1000)\n\tid "
	    "0123456789ABC;\n\tTue, 14 Jul 2026 03:33:20 +0000\n");
	buf_release(&out);
}

/* Whatever a name holds: the field stays one field, and its comment and brackets stay closed. */
static void
names_stay_in_their_place(void **state)
{
	static const char *const names[] = {"a) by evil (b", "x\r\nSubject: y", "x\n\n",
	    "\xc3\xbc", "a;b", "a\"b", "a\\", "<a>", "", "[1.2.3.4]"};
	struct netaddr client;

	(void)state;
	assert_int_equal(netaddr_parse(span_str("192.0.2.1"), &client), 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct received r = {.hostname = span_str("mx.test"),
		    .helo = span_str(names[i]),
		    .client = &client,
		    .protocol = "SMTP",
		    .id = "0",
		    .recipient = span_str("a\nb@c.test")};
		struct span rest;
		struct buf out;
		unsigned lines = 0;

		format(&r, &out);
		for (rest = buf_span(&out); rest.len > 0; lines++) {
			struct span line = span_cut(&rest, '\n');

			assert_false(line.len == 0);
			if (lines > 0)
				assert_int_equal(line.p[0], '\t');
			for (size_t k = 0; k < line.len; k++)
				assert_in_range(
				    (unsigned char)line.p[k], k == 0 ? '\t' : ' ', '~');
		}
		assert_int_equal(lines, 3);
		assert_non_null(strstr(
		    buf_str(&out), " ([192.0.2.1])\n\tby mx.test (Postrider) with SMTP id 0;"));
		buf_release(&out);
	}
}

static void
fits_its_bound(void **state)
{
	char name[255] = {0}, address[320] = {0};
	struct netaddr client;
	struct received r = {.hostname = span_make(name, sizeof name),
	    .helo = span_make(name, sizeof name),
	    .client = &client,
	    .protocol = "UTF8SMTPSA",
	    .id = "0123456789ABC",
	    .recipient = span_make(address, sizeof address),
	    .when = INT32_MAX};
	struct buf out;

	(void)state;
	memset(name, 'n', sizeof name);
	memset(address, 'a', sizeof address);
	assert_int_equal(
	    netaddr_parse(span_str("2001:db8:1111:2222:3333:4444:5555:6666"), &client), 0);
	format(&r, &out);
	assert_in_range(out.len, 1, RECEIVED_MAX);
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(from_the_network),
	    cmocka_unit_test(with_a_name),
	    cmocka_unit_test(from_a_local_program),
	    cmocka_unit_test(names_stay_in_their_place),
	    cmocka_unit_test(fits_its_bound),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
