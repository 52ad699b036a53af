/* test_drop_file: what the queue manager takes from drop/, and what it refuses. */
#include "queue/drop_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define GOOD "drop 1\nfrom=a@a.test\nrcpt=b@b.test\nsize=3\nbody=7bit\n"

static void
reads_a_head(void **state)
{
	static const char text[] =
	    "drop 1\nfrom=\nrcpt=b@b.test\nrcpt=\"a\\\\\\\\b\"@c.test\nsize=12\nbody=8bit\n"
	    "utf8=yes\nenvid=QQ1\nret=HDRS\nnotify=NEVER\n\nsize=99\n\n";
	struct drop_file d;
	size_t size;
	const char *why;

	(void)state;
	assert_int_equal(drop_file_parse(span_str(text), &d, &size, &why), DROP_OK);
	assert_string_equal(text + size, "size=99\n\n");
	assert_int_equal(d.from.len, 0);
	assert_int_equal(d.nrecipients, 2);
	assert_true(span_is(d.recipients[0], "b@b.test"));
	assert_true(span_is(d.recipients[1], "\"a\\\\b\"@c.test"));
	assert_int_equal(d.size, 12);
	assert_true(d.eight_bit && d.utf8);
	assert_true(
	    span_is(d.envid, "QQ1") && span_is(d.ret, "HDRS") && span_is(d.notify, "NEVER"));
	drop_file_release(&d);
	assert_null(d.arena);
}

static void
refuses_what_sendmail_does_not_write(void **state)
{
	static const struct {
		const char *name, *text;
		enum drop_result want;
	} rows[] = {
	    {"empty", "", DROP_SHORT},
	    {"no empty line", GOOD, DROP_SHORT},
	    {"good", GOOD "\n", DROP_OK},
	    {"another version", "drop 2\nfrom=a@a.test\nrcpt=b@b.test\nsize=3\nbody=7bit\n\n",
		DROP_BAD},
	    {"another verb", "envelope 1\nfrom=a@a.test\nrcpt=b@b.test\nsize=3\n\n", DROP_BAD},
	    {"no sender", "drop 1\nrcpt=b@b.test\nsize=3\nbody=7bit\n\n", DROP_BAD},
	    {"two senders", GOOD "from=c@c.test\n\n", DROP_BAD},
	    {"no recipient", "drop 1\nfrom=a@a.test\nsize=3\nbody=7bit\n\n", DROP_BAD},
	    {"empty recipient", GOOD "rcpt=\n\n", DROP_BAD},
	    {"recipient without domain", GOOD "rcpt=bob\n\n", DROP_BAD},
	    {"recipient not canonical", GOOD "rcpt=b@B.TEST\n\n", DROP_BAD},
	    {"newline in recipient", GOOD "rcpt=b@b.test\\nrcpt=c@c.test\n\n", DROP_BAD},
	    {"NUL in recipient", GOOD "rcpt=b\\0@b.test\n\n", DROP_BAD},
	    {"no size", "drop 1\nfrom=a@a.test\nrcpt=b@b.test\nbody=7bit\n\n", DROP_BAD},
	    {"negative size", "drop 1\nfrom=a@a.test\nrcpt=b@b.test\nsize=-1\nbody=7bit\n\n",
		DROP_BAD},
	    {"unknown body", "drop 1\nfrom=a@a.test\nrcpt=b@b.test\nsize=1\nbody=9bit\n\n",
		DROP_BAD},
	    {"unknown field", GOOD "uid=0\n\n", DROP_BAD},
	    {"parameter smuggled by envid", GOOD "envid=x SMTPUTF8\n\n", DROP_BAD},
	    {"line end smuggled by envid", GOOD "envid=x\\nDATA\n\n", DROP_BAD},
	    {"carriage return smuggled by ret", GOOD "ret=x\rDATA\n\n", DROP_BAD},
	    {"malformed escape", GOOD "envid=x\\q\n\n", DROP_BAD},
	    {"line without equals sign", GOOD "hello\n\n", DROP_BAD},
	};
	struct drop_file d;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *why = NULL;
		enum drop_result got = drop_file_parse(span_str(rows[i].text), &d, &size, &why);

		if (got != rows[i].want)
			fail_msg("%s: %d, want %d (%s)", rows[i].name, got, rows[i].want,
			    why != NULL ? why : "no reason");
		if (got != DROP_OK)
			assert_non_null(why);
		else
			drop_file_release(&d);
	}
}

static void
bounds_the_head(void **state)
{
	struct drop_file d;
	struct buf b;
	size_t size;
	const char *why;

	(void)state;
	buf_init(&b, DROP_HEAD_MAX + 16);
	buf_add_str(&b, GOOD "envid=");
	while (b.len < DROP_HEAD_MAX)
		buf_add_char(&b, 'x');
	assert_int_equal(drop_file_parse(buf_span(&b), &d, &size, &why), DROP_BAD);
	buf_release(&b);
}

static void
bounds_the_recipients(void **state)
{
	struct drop_file d;
	struct buf b;
	size_t size;
	const char *why;

	(void)state;
	buf_init(&b, DROP_HEAD_MAX);
	buf_add_str(&b, GOOD);
	for (unsigned i = 0; i < DROP_RECIPIENTS_MAX; i++)
		buf_addf(&b, "rcpt=u%u@b.test\n", i);
	buf_add_str(&b, "\n");
	assert_int_equal(drop_file_parse(buf_span(&b), &d, &size, &why), DROP_BAD);
	buf_release(&b);
}

static void
writes_what_it_reads(void **state)
{
	struct span to[] = {span_str("bob@domain1.com"), span_str("\"x y\"@domain2.com")};
	struct drop_file d = {.from = span_str("a@a.test"),
	    .recipients = to,
	    .nrecipients = 2,
	    .size = 77,
	    .eight_bit = true,
	    .ret = span_str("FULL")};
	struct drop_file got;
	struct buf out;
	size_t size;
	const char *why;

	(void)state;
	buf_init(&out, DROP_HEAD_MAX);
	assert_int_equal(drop_file_format(&d, &out), 0);
	assert_string_equal(buf_str(&out),
	    "drop 1\nfrom=a@a.test\nrcpt=bob@domain1.com\nrcpt=\"x y\"@domain2.com\nsize=77\n"
	    "body=8bit\nret=FULL\n\n");
	assert_int_equal(drop_file_parse(buf_span(&out), &got, &size, &why), DROP_OK);
	assert_int_equal(size, out.len);
	assert_int_equal(got.size, 77);
	assert_true(span_is(got.recipients[1], "\"x y\"@domain2.com"));
	drop_file_release(&got);
	buf_release(&out);
}

static void
tells_names_apart(void **state)
{
	(void)state;
	assert_true(drop_file_name_valid(span_str("0123456789abcdef01234567.msg")));
	assert_false(drop_file_name_valid(span_str("0123456789abcdef0123456.msg")));
	assert_false(drop_file_name_valid(span_str("0123456789abcdef0123456\n.msg")));
	assert_false(drop_file_name_valid(span_str("0123456789ABCDEF01234567.msg")));
	assert_false(drop_file_name_valid(span_str("tmp.0123456789abcdef01234567")));
	assert_false(drop_file_name_valid(span_str("..")));
	assert_true(drop_file_name_unfinished(span_str("tmp.0123456789abcdef01234567")));
	assert_false(drop_file_name_unfinished(span_str("tmp.0123456789abcdef0123456/")));
	assert_false(drop_file_name_unfinished(span_str("0123456789abcdef01234567.msg")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_a_head),
	    cmocka_unit_test(refuses_what_sendmail_does_not_write),
	    cmocka_unit_test(bounds_the_head),
	    cmocka_unit_test(bounds_the_recipients),
	    cmocka_unit_test(writes_what_it_reads),
	    cmocka_unit_test(tells_names_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
