/* test_mime_decode: fields as a person would see them, from the forms that mail programs and those who hide use. */
#include "common/mime_decode.h"

#include "common/mime_field.h"
#include "tests/unit/testing.h"

static void
test_decode(void **state)
{
	/* want NULL: nothing to decode */
	static const struct {
		const char *field, *want;
	} rows[] = {
	    {"Subject: plain =? not", NULL},
	    {"Subject: a*b", NULL},
	    {"Subject: =?utf-8?Q?ILOVE?=", "Subject: ILOVE"},
	    {"Subject: =?utf-8?q?I_LOVE=59OU?=", "Subject: I LOVEYOU"},
	    {"Subject: =?UTF-8*en?B?SUxPVkVZT1U=?= now", "Subject: ILOVEYOU now"},
	    {"Subject: =?us-ascii?b?SUxP?= \t =?us-ascii?q?VEYOU?= x", "Subject: ILOVEYOU x"},
	    {"Subject: =?iso-8859-1?Q?=E9t=e9?=", "Subject: \xc3\xa9t\xc3\xa9"},
	    {"Subject: =?koi8-r?Q?=C1?=", "Subject: \xc1"},
	    {"Subject: =?utf-8?Q?a=0D=0Ab=00c?=", "Subject: a  b c"},
	    {"Subject: =?utf-8?q?a?= =?utf-8?q?b?= =?utf-8?q?c?=\t =?utf-8?q?d?= e",
		"Subject: abcd e"},
	    {"Subject: =?utf-8?X?abc?=", NULL},
	    {"Subject: =?utf-8?Q?abc", NULL},
	    {"Subject: =?utf-8?Q?a=4?=", "Subject: a=4"},
	    {"Subject: =?utf-8?B?S U!xP?=", "Subject: ILO"},
	    {"Content-Disposition: attachment; filename=\"=?utf-8?B?cmVhZG1lLmV4ZQ==?=\"",
		"Content-Disposition: attachment; filename=\"readme.exe\""},
	    {"Content-Disposition: attachment; filename*=utf-8''readme%2eexe",
		"Content-Disposition: attachment; filename*=utf-8''readme%2eexe; "
		"filename=\"readme.exe\""},
	    {"Content-Disposition: attachment; filename*1=.exe; filename*0=readme",
		"Content-Disposition: attachment; filename*1=.exe; filename*0=readme; "
		"filename=\"readme.exe\""},
	    {"Content-Type: a/b; name*0*=iso-8859-1'de'%e9; name*1=\".pif\"",
		"Content-Type: a/b; name*0*=iso-8859-1'de'%e9; name*1=\".pif\"; "
		"name=\"\xc3\xa9.pif\""},
	    /* Readers of RFC 2231 take the plain form, those of RFC 6266 the coded one: both are shown. */
	    {"Content-Type: a/b; filename=x; filename*=''y",
		"Content-Type: a/b; filename=x; filename*=''y; filename=\"y\""},
	    {"Content-Disposition: attachment; filename=a.txt; filename*=utf-8''evil%2Eexe",
		"Content-Disposition: attachment; filename=a.txt; filename*=utf-8''evil%2Eexe; "
		"filename=\"evil.exe\""},
	    {"Content-Type: a/b; name*0=x; name=y; name*=%7a; name*1*=%2e",
		"Content-Type: a/b; name*0=x; name=y; name*=%7a; name*1*=%2e; name=\"z\"; "
		"name=\"x.\""},
	    {"Content-Type: a/b; filename=x; filename*2=y", NULL},
	    {"Content-Type: a/b; filename*2=x", NULL},
	    {"Content-Type: a/b; filename*=%2",
		"Content-Type: a/b; filename*=%2; filename=\"%2\""},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1U << 20);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool any = mime_decode(span_str(rows[i].field), &out);

		check_row(rows[i].field, any == (rows[i].want != NULL));
		if (any && strcmp(buf_str(&out), rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].field, buf_str(&out));
	}
	buf_release(&out);
}

static void
test_names(void **state)
{
	static const struct {
		const char *line, *name, *value;
	} rows[] = {
	    {"Subject: x ", "Subject", "x"},
	    {"Subject:x", "Subject", "x"},
	    {"Subject \t:x", "Subject", "x"},
	    {":x", "", ""},
	    {"Sub ject: x", "", ""},
	    {"Subject", "", ""},
	    {"", "", ""},
	    {"S\xc3\xbc: x", "", ""},
	    {"a::b", "a", ":b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		check_row(rows[i].line,
		    span_is(mime_field_name(span_str(rows[i].line)), rows[i].name));
		check_row(rows[i].line,
		    span_is(mime_field_value(span_str(rows[i].line)), rows[i].value));
	}
}

/* Parameters: what stands in quotes ends nothing. */
static void
test_params(void **state)
{
	static const char value[] =
	    "text/plain (a); a=1 ; b=\"x;y\\\"z\" (c) ;;c; =4; d = (e (f)) 5;e=";
	static const char *const want[] = {"a", "1", "b", "x;y\"z", "d", "5", "e", ""};
	struct buf text, charset;
	struct span rest;

	(void)state;
	buf_init(&text, 100);
	buf_init(&charset, 100);
	assert_true(span_is(mime_value_type(span_str(value), &rest), "text/plain"));
	for (size_t i = 0; i < sizeof want / sizeof *want; i += 2) {
		check_row(
		    want[i], mime_param_find(rest, want[i], MIME_PARAM_PLAIN, &text, &charset));
		check_row(want[i], strcmp(buf_str(&text), want[i + 1]) == 0);
	}
	assert_false(mime_param_find(rest, "c", MIME_PARAM_PLAIN, &text, &charset));
	assert_false(mime_param_find(rest, "", MIME_PARAM_PLAIN, &text, &charset));
	buf_release(&text);
	buf_release(&charset);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_decode),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_params),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
