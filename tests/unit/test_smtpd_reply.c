/* test_smtpd_reply: the catalogue of replies, and how a reply becomes a line. */
#include "smtpd/smtp_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/limits.h"

static void
every_row_is_well_formed(void **state)
{
	(void)state;
	for (int i = 0; i < REPLY_COUNT; i++) {
		const struct smtp_reply *r = smtp_reply_find((enum smtp_reply_id)i);

		if (r->text == NULL || r->code < 200 || r->code > 599)
			fail_msg("row %d is missing", i);
		if (r->status == NULL)
			assert_int_equal(r->code, 354);
		else if (!verdict_status_valid(span_str(r->status)) ||
			 r->status[0] - '0' != r->code / 100)
			fail_msg("%d %s %s: class of the status", r->code, r->status, r->text);
		if (r->code >= 400)
			assert_non_null(r->rule);
		if (r->code == 421)
			assert_true(r->closes);
		assert_false(span_has_control(span_str(r->text)));
	}
}

static void
formats_a_line(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	smtp_reply_format(&b, smtp_reply_find(REPLY_OK), (struct span){NULL, 0});
	smtp_reply_format(&b, smtp_reply_find(REPLY_SEND_CONTENT), (struct span){NULL, 0});
	smtp_reply_format(&b, smtp_reply_find(REPLY_QUEUED), span_str("0ABC"));
	assert_string_equal(buf_str(&b),
	    "250 2.0.0 OK\r\n354 Send the message, then a line with only a dot\r\n"
	    "250 2.0.0 Queued as 0ABC\r\n");
	buf_release(&b);
}

static void
escapes_and_cuts(void **state)
{
	char big[2000];
	struct buf b;

	(void)state;
	buf_init(&b, 8192);
	smtp_reply_format(&b, smtp_reply_find(REPLY_PARAMETER_UNKNOWN),
	    span_make("A\r\n250 x\0\xff\x7f", 11));
	assert_string_equal(buf_str(&b),
	    "555 5.5.4 Parameter not offered: A\\x0d\\x0a250 x\\x00\\xff\\x7f\r\n");
	for (size_t n = 0; n < sizeof big; n += 13) {
		buf_clear(&b);
		memset(big, n % 2 == 0 ? 'a' : '\n', sizeof big);
		smtp_reply_format(&b, smtp_reply_find(REPLY_SYNTAX), span_make(big, n));
		assert_in_range(b.len, 1, REPLY_LINE_MAX);
		assert_string_equal(buf_str(&b) + b.len - 2, "\r\n");
		assert_int_equal(span_index(buf_span(&b), '\n'), b.len - 1);
	}
	buf_release(&b);
}

static void
formats_verdicts(void **state)
{
	static const struct {
		enum verdict_kind kind;
		int code;
		const char *status, *want;
	} rows[] = {
	    {VERDICT_OK, 250, "2.1.5", "250 2.1.5 why\r\n"},
	    {VERDICT_OK, 550, "2.1.5", "250 2.1.5 why\r\n"},
	    {VERDICT_PERMANENT, 553, "5.7.1", "553 5.7.1 why\r\n"},
	    {VERDICT_PERMANENT, 0, "5.1.1", "550 5.1.1 why\r\n"},
	    {VERDICT_PERMANENT, 250, "5.1.1", "550 5.1.1 why\r\n"},
	    {VERDICT_TEMPORARY, 421, "4.7.0", "421 4.7.0 why\r\n"},
	    {VERDICT_TEMPORARY, 550, "4.7.0", "451 4.7.0 why\r\n"},
	    {VERDICT_TEMPORARY, 451, "5.7.0", "451 4.3.0 why\r\n"},
	    {VERDICT_TEMPORARY, 451, "x", "451 4.3.0 why\r\n"},
	};
	struct buf b;
	int code;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct verdict v = {.kind = rows[i].kind, .code = rows[i].code, .text = "why"};

		snprintf(v.status, sizeof v.status, "%s", rows[i].status);
		buf_clear(&b);
		code = smtp_reply_format_verdict(&b, &v);
		assert_string_equal(buf_str(&b), rows[i].want);
		assert_int_equal(code, strtol(rows[i].want, NULL, 10));
	}
	buf_release(&b);
}

/* As much as there is room for, and no \xNN in part. */
static void
escapes_into_the_room_there_is(void **state)
{
	static const struct {
		const char *text;
		size_t room;
		const char *want;
	} rows[] = {
	    {"", 9, ""},
	    {"abc", 0, ""},
	    {"\xff", 0, ""},
	    {"abc", 2, "ab"},
	    {"abc", 3, "abc"},
	    {"abc", 4, "abc"},
	    {"\xff", 3, ""},
	    {"\xff", 4, "\\xff"},
	    {"\xff\x01", 7, "\\xff"},
	    {"\xff\x01", 8, "\\xff\\x01"},
	    {"ab\r\ncd", 5, "ab"},
	    {"ab\r\ncd", 6, "ab\\x0d"},
	    {"ab\r\ncd", 11, "ab\\x0d\\x0ac"},
	    {"ab\r\ncd", 99, "ab\\x0d\\x0acd"},
	    {" ~\x1f\x7f", 99, " ~\\x1f\\x7f"},
	    /* What would fit behind what does not is not sent in its place. */
	    {"a\xff"
	     "b",
		3, "a"},
	};
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_clear(&b);
		smtp_reply_escape(&b, span_str(rows[i].text), rows[i].room);
		assert_string_equal(buf_str(&b), rows[i].want);
	}
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_is_well_formed),
	    cmocka_unit_test(formats_a_line),
	    cmocka_unit_test(escapes_and_cuts),
	    cmocka_unit_test(escapes_into_the_room_there_is),
	    cmocka_unit_test(formats_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
