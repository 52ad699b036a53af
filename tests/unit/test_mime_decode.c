/* test_mime_decode: fields as a person would see them, from the forms that mail programs and those who hide use. */
#include "common/mime_decode.h"

#include "common/mime_field.h"
#include "common/mime_param.h"
#include "common/xalloc.h"
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
	    {"Content-Type: a/b; filename=x; filename*2=y",
		"Content-Type: a/b; filename=x; filename*2=y; filename=\"y\""},
	    {"Content-Type: a/b; filename*2=x",
		"Content-Type: a/b; filename*2=x; filename=\"x\""},
	    {"Content-Type: a/b; filename=x; name=\"y z\"", NULL},
	    {"Content-Type: a/b; filename*x=y", NULL},
	    /* Behind padding some read on. */
	    {"Subject: =?utf-8?B?ZXZp=bC5leGU=?=", "Subject: evil.exe"},
	    {"Subject: =?utf-8?B?ZQ==dmls?=", "Subject: evil"},
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

static void
on_reading(enum mime_param_form form, struct span value, struct span charset, void *arg)
{
	static const char letters[] = {
	    [MIME_PARAM_PLAIN] = 'p', [MIME_PARAM_CODED] = 'c', [MIME_PARAM_PIECES] = 's'};

	assert_int_equal(
	    buf_addf(arg, "%c<%.*s>%.*s", letters[form], SPAN_ARG(value), SPAN_ARG(charset)),
	    0);
}

/* Parameters: what stands in quotes ends nothing, and whoever reads otherwise has a reading of his own. */
static void
test_params(void **state)
{
	static const struct {
		const char *value, *name, *want;
	} rows[] = {
	    {"a/b (a); a=1 ; b=\"x;y\\\"z\" (c) ;;c; =4; d = (e (f)) 5;e=", "a", "p<1>"},
	    {"a/b (a); a=1 ; b=\"x;y\\\"z\" (c) ;;c; =4; d = (e (f)) 5;e=", "b", "p<x;y\"z>"},
	    {"a/b (a); a=1 ; b=\"x;y\\\"z\" (c) ;;c; =4; d = (e (f)) 5;e=", "c", ""},
	    {"a/b (a); a=1 ; b=\"x;y\\\"z\" (c) ;;c; =4; d = (e (f)) 5;e=", "d", "p<5>"},
	    {"a/b (a); a=1 ; b=\"x;y\\\"z\" (c) ;;c; =4; d = (e (f)) 5;e=", "e", "p<>"},
	    {"a/b; a=1; A=2", "a", "p<1>p<2>"},
	    {"a/b; a*=u'l'%31; a*=2; a*=%33", "a", "c<1>uc<3>"},
	    {"a/b; a*1=y; a*0=x", "a", "s<xy>"},
	    {"a/b; a*0=x; a*2=y", "a", "s<x>s<xy>"},
	    {"a/b; a*1=x; a*2=y", "a", "s<xy>"},
	    {"a/b; a*0=x; a*0=y; a*1=z", "a", "s<xz>s<xyz>s<yz>"},
	    {"a/b; a*00=x; a*01*=%79", "a", "s<xy>"},
	    {"a/b; a*0*=u''x; a*99999999999999999999999=z", "a", "s<x>us<xz>u"},
	    {"a/b (\"); a*0=x; a*1=y", "a", "s<xy>"},
	    {"a/b (; a=1); a=2", "a", "p<1)>p<2>"},
	    {"a/b (; a=1", "a", "p<1>"},
	    {"a/b; a (c) = 1", "a", "p<1>"},
	    {"a/b; a (;) = 1", "a", "p<1>"},
	    {"a/b; (;) a=1", "a", "p<1>"},
	    {"a/b", "a", ""},
	    {"a/b;", "a", ""},
	    {"a/b; a", "a", ""},
	    {"a/b; a(", "a", ""},
	    {"a/b; a(\\", "a", ""},
	    {"a/b; a=(\\", "a", "p<>"},
	    {"a/b; a=\"x", "a", "p<x>"},
	    {"a/b; a=\"x\\", "a", "p<x\\>"},
	};
	struct buf got;

	(void)state;
	buf_init(&got, 1000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span rest;

		buf_clear(&got);
		assert_true(span_is(mime_value_type(span_str(rows[i].value), &rest), "a/b"));
		mime_param_readings(rest, rows[i].name, on_reading, &got);
		if (strcmp(buf_str(&got), rows[i].want) != 0)
			fail_msg("%s of %s: %s", rows[i].name, rows[i].value, buf_str(&got));
	}
	buf_release(&got);
}

/* What a name is said to be, however it is spelled. */
static void
test_spellings(void **state)
{
	static const char *const rows[] = {"filename=\"ev\\il.e\\xe\"", "filename = evil.exe",
	    "FileName=\"evil.exe\"", "filename (c) = (d) evil.exe",
	    "filename=a; filename=(c)\"evil.exe\"", "filename*0=evil.; filename*2=exe",
	    "filename*1=evil.; filename*2=exe",
	    "filename*0=a; filename*0=evil.; filename*1=exe",
	    "filename*=''a; filename*=''evil%2Eexe", "x=(\"); filename*0=evil.; filename*1=exe",
	    "filename=\"=?utf-8?B?ZXZp=bC5leGU=?=\"",
	    "filename*0=\"=?utf-8?B?ZXZpbC\"; filename*1=\"5leGU=?=\""};
	struct buf out;

	(void)state;
	buf_init(&out, 10000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *field = xasprintf("Content-Disposition: attachment; %s", rows[i]);

		if (!mime_decode(span_str(field), &out) ||
		    strstr(buf_str(&out), "filename=\"evil.exe\"") == NULL)
			fail_msg("%s: %s", field, buf_str(&out));
		free(field);
	}
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_decode),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_params),
	    cmocka_unit_test(test_spellings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
