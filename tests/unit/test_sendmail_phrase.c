/* test_sendmail_phrase: names in From fields. */
#include "queue/sendmail_phrase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void
formats_names(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
	    {"Bob Builder", "Bob Builder"},
	    {" Bob ", "Bob"},
	    {"Bob B. Builder", "\"Bob B. Builder\""},
	    {"Bob \"the\" \\Builder", "\"Bob \\\"the\\\" \\\\Builder\""},
	    {"a@b, c", "\"a@b, c\""},
	    {"=?utf-8?q?x?=", "\"=?utf-8?q?x?=\""},
	    {"B\xc3\xb6"
	     "b (x)",
		"=?utf-8?q?B=C3=B6b_=28x=29?="},
	    {"", NULL},
	    {"   ", NULL},
	    {"Bob\nBcc: x@y", NULL},
	    {"Bob\r", NULL},
	    {"Bob\t\x7f", NULL},
	    {"B\xff", NULL},
	};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int r;

		buf_init(&out, 4096);
		r = sendmail_phrase_format(span_str(rows[i].name), &out);
		assert_int_equal(r, rows[i].want != NULL ? 0 : -1);
		assert_string_equal(buf_str(&out), rows[i].want != NULL ? rows[i].want : "");
		buf_release(&out);
	}
}

static void
splits_long_names_at_characters(void **state)
{
	struct buf name, out;
	struct span rest, line;
	size_t lines = 0;

	(void)state;
	buf_init(&name, 4096);
	buf_init(&out, 4096);
	for (int i = 0; i < 60; i++)
		buf_add_str(&name, "\xe2\x82\xac");
	assert_int_equal(sendmail_phrase_format(buf_span(&name), &out), 0);
	for (rest = buf_span(&out); rest.p != NULL; lines++) {
		line = span_trim(span_cut(&rest, '\n'));
		assert_true(line.len <= 75);
		assert_true(span_starts_with(line, "=?utf-8?q?=E2=82=AC"));
		assert_true(span_is(span_skip(line, line.len - 11), "=E2=82=AC?="));
	}
	assert_int_equal(lines, 9);
	for (int i = 0; i < 60; i++)
		buf_add_str(&name, "\xe2\x82\xac");
	assert_int_equal(sendmail_phrase_format(buf_span(&name), &out), -1);
	buf_release(&name);
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(formats_names),
	    cmocka_unit_test(splits_long_names_at_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
