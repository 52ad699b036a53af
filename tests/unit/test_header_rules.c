/*
 * test_header_rules: files of header checks as administrators of Postfix have them, everything that can be wrong with one
 * in one go, and what a text becomes.
 */
#include "conf/header_rules.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/xalloc.h"
#include "tests/unit/testing.h"

static void
test_good(void **state)
{
	static const char text[] = "# rules\n"
				   "\n"
				   "/^Subject: a/ REJECT\n"
				   "/^Subject: b/\treject 5.6.0 no b\n"
				   "  # a comment within\n"
				   "\n"
				   "\tplease\r\n"
				   "!/^Subject:/i Warn no subject\n"
				   "! |a/b|x DISCARD\n"
				   "if /^Content-/\n"
				   "if !/x/\n"
				   "/a\\/b/ HOLD $1$$\n"
				   "ENDIF\n"
				   "endif\n"
				   "/(a)/ PREPEND X-A: ${1}$(1)$0\n"
				   "|a| REDIRECT Bob@EXAMPLE.org\n"
				   "/a/ REJECT 4.7.1\n"
				   "/a/ DUNNO whatever $9\n"
				   "/a/ ok\n"
				   "/a/ INFO x";
	static const struct {
		unsigned line;
		enum header_rule_kind kind;
		enum header_action action;
		bool negated;
		const char *status, *text;
	} want[] = {
	    {3, HEADER_RULE, HEADER_REJECT, false, "5.7.1", ""},
	    {4, HEADER_RULE, HEADER_REJECT, false, "5.6.0", "no b please"},
	    {8, HEADER_RULE, HEADER_WARN, true, "", "no subject"},
	    {9, HEADER_RULE, HEADER_DISCARD, true, "", ""},
	    {10, HEADER_IF, HEADER_DUNNO, false, "", NULL},
	    {11, HEADER_IF, HEADER_DUNNO, true, "", NULL},
	    {12, HEADER_RULE, HEADER_HOLD, false, "", "$1$$"},
	    {13, HEADER_ENDIF, HEADER_DUNNO, false, "", NULL},
	    {14, HEADER_ENDIF, HEADER_DUNNO, false, "", NULL},
	    {15, HEADER_RULE, HEADER_PREPEND, false, "", "X-A: ${1}$(1)$0"},
	    {16, HEADER_RULE, HEADER_REDIRECT, false, "", "Bob@example.org"},
	    {17, HEADER_RULE, HEADER_REJECT, false, "4.7.1", ""},
	    {18, HEADER_RULE, HEADER_DUNNO, false, "", ""},
	    {19, HEADER_RULE, HEADER_DUNNO, false, "", ""},
	    {20, HEADER_RULE, HEADER_WARN, false, "", "x"},
	};
	struct config_errors errors = {0};
	struct header_rules *r;
	char *fixed = xstrdup(text);

	(void)state;
	/* $1 wants a group. */
	r = header_rules_parse(span_str(fixed), "f", &errors);
	assert_null(r);
	assert_int_equal(errors.n, 1);
	assert_string_equal(
	    errors.v[0].text, "f:12: $1: the pattern has 0 groups in parentheses");
	config_errors_release(&errors);
	memcpy(strstr(fixed, "a\\/b"), "(.)b", 4);
	r = header_rules_parse(span_str(fixed), "f", &errors);
	if (r == NULL)
		fail_msg("%s", errors.v[0].text);
	assert_int_equal(r->n, sizeof want / sizeof *want);
	for (size_t i = 0; i < r->n; i++) {
		const struct header_rule *one = &r->v[i];

		assert_int_equal(one->line, want[i].line);
		assert_int_equal(one->kind, want[i].kind);
		assert_int_equal(one->action, want[i].action);
		assert_int_equal(one->negated, want[i].negated);
		assert_string_equal(one->status, want[i].status);
		if (want[i].text == NULL)
			assert_null(one->text);
		else
			assert_string_equal(one->text, want[i].text);
	}
	assert_int_equal(r->v[4].end, 8);
	assert_int_equal(r->v[5].end, 7);
	header_rules_free(&r);
	free(fixed);
}

/* Every error of a file at once, with its line and what was expected. */
static void
test_errors(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
	    {"Subject: x REJECT", "Subject: x REJECT: expected /pattern/flags ACTION text, if "
				  "/pattern/flags, or endif"},
	    {"/x REJECT", "expected a / that ends the pattern"},
	    {"/x\\", "expected a / that ends the pattern"},
	    {"/(/ REJECT", "the pattern is wrong at its octet 2: missing closing parenthesis"},
	    {"/x/q REJECT",
		"q behind the pattern: expected flags out of imsxAEU and then white space"},
	    {"/x/REJECT", "REJECT behind the pattern: expected flags out of imsxAEU and then "
			  "white space"},
	    {"/x/", "expected REJECT, DISCARD, HOLD, WARN, INFO, PREPEND, REDIRECT, DUNNO or "
		    "OK behind the pattern"},
	    {"/x/ FILTER smtp:x", "FILTER is not done here: expected REJECT, DISCARD, HOLD, "
				  "WARN, INFO, PREPEND, REDIRECT, DUNNO or OK"},
	    {"/x/ RJECT", "RJECT: expected REJECT, DISCARD, HOLD, WARN, INFO, PREPEND, "
			  "REDIRECT, DUNNO or OK"},
	    {"/x/ REJECT 2.0.0 fine", "REJECT 2.0.0: expected a status 4.y.z or 5.y.z"},
	    {"/x/ REJECT $2", "$2: the pattern has 0 groups in parentheses"},
	    {"/x/ REJECT $x", "$x: expected $1 to $9, ${1}, $(1), or $$ for a dollar sign"},
	    {"/x/ REJECT ${1", "${1: expected $1 to $9, ${1}, $(1), or $$ for a dollar sign"},
	    {"!/(x)/ REJECT $1",
		"$1: a pattern with ! has matched nothing that could be put there"},
	    {"/x/ PREPEND", "PREPEND : expected a header field, as in PREPEND X-Note: text"},
	    {"/x/ PREPEND X-Y",
		"PREPEND X-Y: expected a header field, as in PREPEND X-Note: text"},
	    {"/x/ PREPEND X-Y:",
		"PREPEND X-Y:: expected a header field, as in PREPEND X-Note: text"},
	    {"/(x)/ PREPEND $1: x",
		"PREPEND $1: x: expected a header field, as in PREPEND X-Note: text"},
	    {"/x/ PREPEND received: x",
		"PREPEND Received: expected another field: this one tells the way of mail"},
	    {"/x/ PREPEND X-Y: \xc3\xbc", "PREPEND: expected a field of printable ASCII"},
	    {"/x/ REDIRECT", "REDIRECT : expected user@domain"},
	    {"/(x)/ REDIRECT $1@x.test", "REDIRECT $1@x.test: expected an address without $: a "
					 "message does not say where it goes"},
	    {"if /x/ REJECT", "REJECT: expected nothing behind the pattern of an if"},
	    {"endif x", "x: expected nothing behind endif"},
	    {"endif", ""},
	    {"endif", "endif without an if before it"},
	};
	struct config_errors errors = {0};
	size_t expected = 0;
	struct buf text;

	(void)state;
	buf_init(&text, 10000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		buf_addf(&text, "%s\n", rows[i].line);
	assert_null(header_rules_parse(buf_span(&text), "f", &errors));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *want = xasprintf("f:%zu: %s", i + 1, rows[i].want);

		if (rows[i].want[0] != '\0') {
			assert_true(expected < errors.n);
			assert_string_equal(errors.v[expected++].text, want);
		}
		free(want);
	}
	assert_int_equal(errors.n, expected);
	config_errors_release(&errors);
	buf_release(&text);
}

static void
check_one_error(struct span text, const char *want)
{
	struct config_errors errors = {0};

	assert_null(header_rules_parse(text, "f", &errors));
	assert_int_equal(errors.n, 1);
	assert_string_equal(errors.v[0].text, want);
	config_errors_release(&errors);
}

static void
test_files_as_a_whole(void **state)
{
	struct config_errors errors = {0};
	struct header_rules *r = header_rules_parse(LITERAL(""), "f", &errors);
	struct buf text;

	(void)state;
	assert_non_null(r);
	assert_int_equal(r->n, 0);
	header_rules_free(&r);
	check_one_error(
	    LITERAL("/x/ OK\nif /x/\n/y/ OK\n"), "f:2: if without an endif behind it");
	check_one_error(LITERAL("/x/ OK\0\n"), "f: holds a NUL octet: expected a text file");
	check_one_error(LITERAL("  /x/ OK\n"),
	    "f:1: a continuation of nothing: expected the first rule to begin its line");
	buf_init(&text, 1U << 20);
	for (unsigned i = 0; i < HEADER_RULES_COUNT_MAX; i++)
		buf_add_str(&text, "/x/ OK\n");
	r = header_rules_parse(buf_span(&text), "f", &errors);
	assert_non_null(r);
	header_rules_free(&r);
	buf_add_str(&text, "/x/ OK\n/x/ OK\n");
	check_one_error(buf_span(&text), "f:4001: expected at most 4000 rules");
	buf_clear(&text);
	for (unsigned i = 0; i <= HEADER_RULES_NEST_MAX; i++)
		buf_add_str(&text, "if /x/\n");
	check_one_error(
	    buf_span(&text), "f:21: expected at most 20 conditions within each other");
	buf_clear(&text);
	buf_add_str(&text, "/x/ REJECT ");
	for (unsigned i = 0; i < 20000; i++)
		buf_add_char(&text, 'x');
	assert_null(header_rules_parse(buf_span(&text), "f", &errors));
	assert_string_equal(errors.v[0].text, "f:1: expected a rule of at most 16384 octets");
	config_errors_release(&errors);
	buf_release(&text);
}

/* Flags turn what is on off. */
static void
test_flags(void **state)
{
	static const struct {
		const char *pattern, *flags, *subject;
		bool match;
	} rows[] = {
	    {"abc", "", "xABC", true},
	    {"abc", "i", "ABC", false},
	    {"a.c", "", "a\nc", true},
	    {"a.c", "s", "a\nc", false},
	    {"^b", "", "a\nb", false},
	    {"^b", "m", "a\nb", true},
	    {"a b # c", "x", "ab", true},
	    {"b", "A", "ab", false},
	    {"a$", "", "a\n", true},
	    {"a$", "E", "a\n", false},
	    {"a", "ii", "A", true},
	    {"\xc3", "", "\xc3\xa9", true},
	};
	struct header_matcher *m = header_matcher_new(HEADER_PATTERN_STEPS);
	struct buf why;

	(void)state;
	buf_init(&why, 200);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct header_pattern *p = header_pattern_new(
		    span_str(rows[i].pattern), span_str(rows[i].flags), &why);

		check_row(rows[i].pattern, p != NULL);
		check_row(
		    rows[i].pattern, header_pattern_match(p, m, span_str(rows[i].subject)) ==
					 (rows[i].match ? HEADER_MATCH : HEADER_NO_MATCH));
		header_pattern_free(&p);
	}
	assert_null(header_pattern_new(LITERAL("(*UTF)x"), LITERAL(""), &why));
	buf_release(&why);
	header_matcher_free(&m);
}

/* Steps are limited from each place of the field anew; time is for all of them together. */
static void
test_time(void **state)
{
	struct header_matcher *m = header_matcher_new(HEADER_PATTERN_STEPS);
	struct header_pattern *p;
	struct buf why, field;
	uint64_t began;

	(void)state;
	buf_init(&why, 200);
	buf_init(&field, 65536);
	while (buf_add_str(&field, "name=") == 0)
		;
	memcpy(field.p + field.len - 8, ".bax.exi", 8);
	p = header_pattern_new(LITERAL("name=[^>]*\\.(bat|exe)"), LITERAL(""), &why);
	assert_non_null(p);
	began = clock_thread_us();
	assert_int_equal(header_pattern_match(p, m, buf_span(&field)), HEADER_TOO_HARD);
	assert_true(clock_thread_us() - began < 20 * HEADER_PATTERN_TIME);
	assert_int_equal(header_pattern_match(p, m, LITERAL("name=x.bat")), HEADER_MATCH);
	header_pattern_free(&p);
	buf_release(&field);
	buf_release(&why);
	header_matcher_free(&m);
}

static void
test_expand(void **state)
{
	static const char text[] =
	    "/^Subject: (a+)(\\S*)( x)?/ REJECT $1-$2-$3-${1}-$(2)-$$-$0!\n";
	struct config_errors errors = {0};
	struct header_rules *r = header_rules_parse(span_str(text), "f", &errors);
	struct header_matcher *m = header_matcher_new(HEADER_PATTERN_STEPS);
	struct buf out;

	(void)state;
	assert_non_null(r);
	assert_int_equal(header_pattern_match(r->v[0].pattern, m, LITERAL("Subject: aab\001")),
	    HEADER_MATCH);
	buf_init(&out, 100);
	header_rule_expand(&r->v[0], m, &out);
	assert_string_equal(buf_str(&out), "aa-b?--aa-b?-$-Subject: aab?!");
	out.max = out.len + 3;
	header_rule_expand(&r->v[0], m, &out);
	assert_int_equal(out.len, out.max);
	buf_release(&out);
	header_matcher_free(&m);
	header_rules_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_files_as_a_whole),
	    cmocka_unit_test(test_flags),
	    cmocka_unit_test(test_time),
	    cmocka_unit_test(test_expand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
