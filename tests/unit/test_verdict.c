/* test_verdict: what was decided, and that it is consistent. */
#include "common/verdict.h"

#include "common/utf8.h"
#include "tests/unit/testing.h"

static void
begins_as_temporary(void **state)
{
	struct verdict v;

	(void)state;
	verdict_init(&v);
	assert_int_equal(v.kind, VERDICT_TEMPORARY);
	assert_int_equal((struct verdict){0}.kind, VERDICT_TEMPORARY);
	assert_int_equal(v.code, 451);
	assert_string_equal(v.status, "4.3.0");
	assert_true(v.text[0] != '\0');
}

static void
sets_the_class_of_the_status(void **state)
{
	static const struct {
		enum verdict_kind kind;
		const char *status, *want;
	} rows[] = {
	    {VERDICT_OK, "2.1.5", "2.1.5"},
	    {VERDICT_TEMPORARY, "4.7.1", "4.7.1"},
	    {VERDICT_PERMANENT, "5.1.1", "5.1.1"},
	    {VERDICT_TEMPORARY, "5.1.1", "4.1.1"},
	    {VERDICT_PERMANENT, "2.0.0", "5.0.0"},
	    {VERDICT_OK, "", "2.0.0"},
	    {VERDICT_PERMANENT, "nonsense", "5.0.0"},
	    {VERDICT_PERMANENT, "5.1234.1", "5.0.0"},
	    {VERDICT_TEMPORARY, "4.999.999", "4.999.999"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct verdict v;

		verdict_set(&v, rows[i].kind, 250, rows[i].status, "text %d", 7);
		check_row(rows[i].status, v.kind == rows[i].kind);
		check_row(rows[i].status, strcmp(v.status, rows[i].want) == 0);
		check_row(rows[i].status, strcmp(v.text, "text 7") == 0 && v.code == 250);
	}
}

static void
cleans_and_cuts_the_text(void **state)
{
	char many[3000];
	struct verdict v;

	(void)state;
	verdict_set(&v, VERDICT_PERMANENT, 550, "5.1.1", "a\r\n250 ok\x1b");
	assert_string_equal(v.text, "a\\x0d\\x0a250 ok\\x1b");

	/* Two octets a character and an odd one in front: the cut must not fall within a character. */
	for (size_t odd = 0; odd < 2; odd++) {
		memset(many, 'x', odd);
		for (size_t i = odd; i + 1 < sizeof many; i += 2)
			memcpy(many + i, "\xc3\xbc", 2);
		verdict_set_parts(&v, VERDICT_OK, 250, span_str("2.0.0"),
		    span_make(many, odd + 2 * ((sizeof many - odd) / 2)));
		assert_true(
		    strlen(v.text) >= sizeof v.text - 3 && strlen(v.text) < sizeof v.text);
		assert_true(utf8_valid(span_str(v.text)));
	}
}

/* A text as it stands is judged, cleaned and cut as a formatted one is, and its percent signs stay. */
static void
takes_text_as_it_stands(void **state)
{
	char many[3000];
	const struct {
		const char *status, *text, *want_status, *want;
	} rows[] = {
	    {"2.1.5", "Recipient OK", "5.1.5", "Recipient OK"},
	    {"5.7.1", "100% bad: %s %n %d", "5.7.1", "100% bad: %s %n %d"},
	    {"5.7.1", "", "5.7.1", ""},
	    {"nonsense", "a\r\n250 ok", "5.0.0", "a\\x0d\\x0a250 ok"},
	    {"5.1.1", "\xff", "5.1.1", "\\xff"},
	    {"5.1.1", many, "5.1.1", NULL},
	};

	(void)state;
	memset(many, '%', sizeof many - 1);
	many[sizeof many - 1] = '\0';
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct verdict v, formatted;

		verdict_set_text(&v, VERDICT_PERMANENT, 550, rows[i].status, rows[i].text);
		verdict_set(
		    &formatted, VERDICT_PERMANENT, 550, rows[i].status, "%s", rows[i].text);
		check_row(rows[i].status, v.kind == VERDICT_PERMANENT && v.code == 550);
		check_row(rows[i].status, strcmp(v.status, rows[i].want_status) == 0);
		check_row(rows[i].status, rows[i].want != NULL
					      ? strcmp(v.text, rows[i].want) == 0
					      : strlen(v.text) == sizeof v.text - 1);
		check_row(rows[i].status, strcmp(v.text, formatted.text) == 0);
		check_row(rows[i].status, strcmp(v.status, formatted.status) == 0);
	}
}

static void
may_be_set_from_its_own_parts(void **state)
{
	struct verdict v;

	(void)state;
	verdict_set(&v, VERDICT_TEMPORARY, 450, "4.2.1", "mailbox busy");
	verdict_set_parts(
	    &v, VERDICT_PERMANENT, 550, span_str(v.status), span_skip(span_str(v.text), 8));
	assert_string_equal(v.status, "5.2.1");
	assert_string_equal(v.text, "busy");
	verdict_set_text(&v, VERDICT_TEMPORARY, 450, v.status, v.text + 1);
	assert_string_equal(v.status, "4.2.1");
	assert_string_equal(v.text, "usy");
}

/* As a reply without words gives it: the rest of a line that ends before it. */
static void
may_have_no_text(void **state)
{
	struct verdict v;

	(void)state;
	verdict_set_parts(&v, VERDICT_OK, 250, span_str("2.0.0"), (struct span){NULL, 0});
	assert_string_equal(v.text, "");
}

static void
names_kinds(void **state)
{
	static const enum verdict_kind kinds[] = {
	    VERDICT_OK, VERDICT_TEMPORARY, VERDICT_PERMANENT};
	enum verdict_kind k;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
		    verdict_kind_parse(span_str(verdict_kind_name(kinds[i])), &k), 0);
		assert_int_equal(k, kinds[i]);
	}
	assert_int_equal(verdict_kind_parse(span_str("OK"), &k), -1);
	assert_int_equal(verdict_kind_parse(span_str(""), &k), -1);
}

static void
knows_enhanced_codes(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
	    {"2.0.0", true},
	    {"4.7.28", true},
	    {"5.999.999", true},
	    {"1.0.0", false},
	    {"3.0.0", false},
	    {"5.1", false},
	    {"5.1.", false},
	    {"5..1", false},
	    {"5.1.1.1", false},
	    {"5.1000.1", false},
	    {"5.1.0001", false},
	    {"55.1.1", false},
	    {"5.1.1 ", false},
	    {"5.1.a", false},
	    {"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(
		    rows[i].text, verdict_status_valid(span_str(rows[i].text)) == rows[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(begins_as_temporary),
	    cmocka_unit_test(sets_the_class_of_the_status),
	    cmocka_unit_test(cleans_and_cuts_the_text),
	    cmocka_unit_test(takes_text_as_it_stands),
	    cmocka_unit_test(may_be_set_from_its_own_parts),
	    cmocka_unit_test(may_have_no_text),
	    cmocka_unit_test(names_kinds),
	    cmocka_unit_test(knows_enhanced_codes),
	};

	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
