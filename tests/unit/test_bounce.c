/* Bounces: the report has its three parts, and nothing a stranger wrote adds a line to any of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "queue/bounce.h"

static void
compose(struct buf *out, const char *original, const char *text, const char *content)
{
	struct bounce_recipient r = {.original = span_str(original),
	    .address = span_str("target@e.test"),
	    .mta = span_str("mx.e.test")};
	struct bounce b = {.hostname = "mx.test",
	    .id = "0000000000001",
	    .own_id = "0000000000002",
	    .sender = span_str("alice@d.test"),
	    .arrived = 1700000000,
	    .now = 1700000100,
	    .recipients = &r,
	    .nrecipients = 1,
	    .content = span_str(content),
	    .content_whole = true};

	verdict_set_parts(
	    &r.verdict, VERDICT_PERMANENT, 550, span_str("5.1.1"), span_str(text));
	buf_init(out, 100000);
	assert_int_equal(bounce_compose(&b, out), 0);
}

static size_t
count(const char *s, const char *what)
{
	size_t n = 0;

	for (s = strstr(s, what); s != NULL; s = strstr(s + 1, what))
		n++;
	return n;
}

static void
test_parts(void **state)
{
	struct buf b;

	(void)state;
	compose(&b, "bob@d.test", "No such user", "Subject: hello\n\nbody\n");
	assert_int_equal(count(b.p, "\n--=_0000000000002\n"), 3);
	assert_int_equal(count(b.p, "\n--=_0000000000002--\n"), 1);
	assert_non_null(strstr(b.p, "\nTo: <alice@d.test>\n"));
	assert_non_null(strstr(b.p, "\nFinal-Recipient: rfc822; target@e.test\n"));
	assert_non_null(strstr(b.p, "\nOriginal-Recipient: rfc822; bob@d.test\n"));
	assert_non_null(strstr(b.p, "\nAction: failed\nStatus: 5.1.1\n"));
	assert_non_null(strstr(b.p, "\nRemote-MTA: dns; mx.e.test\n"));
	assert_non_null(strstr(b.p, "\nDiagnostic-Code: smtp; 550 5.1.1 No such user\n"));
	assert_non_null(strstr(b.p, "\nSubject: hello\n\nbody\n"));
	buf_release(&b);
}

static void
test_no_injection(void **state)
{
	struct buf b;

	(void)state;
	compose(&b, "\"x\nBcc: evil@x.test\"@d.test", "bad\r\nInjected: yes\xff", "\n\n");
	assert_int_equal(count(b.p, "\nBcc:"), 0);
	assert_int_equal(count(b.p, "\nInjected:"), 0);
	for (size_t i = 0; i < b.len; i++)
		assert_true((unsigned char)b.p[i] < 0x80);
	buf_release(&b);
}

static void
test_header_of(void **state)
{
	(void)state;
	assert_true(
	    span_is(bounce_header_of(span_str("A: b\nC: d\n\nbody"), 100), "A: b\nC: d\n"));
	assert_true(span_is(bounce_header_of(span_str("A: b\nC: d\n\nbody"), 7), "A: b\n"));
	assert_true(span_is(bounce_header_of(span_str("\nbody"), 100), ""));
	assert_true(span_is(bounce_header_of(span_str(""), 100), ""));
	assert_true(span_is(bounce_header_of(span_str("aaaaaaaaaa"), 5), ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_no_injection),
	    cmocka_unit_test(test_header_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
