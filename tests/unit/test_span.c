/* test_span: borrowed bytes. */
#include "common/span.h"

#include "tests/unit/testing.h"

static void
compares(void **state)
{
	static const struct {
		const char *name;
		struct span a, b;
		bool eq, eq_nocase, starts;
	} rows[] = {
	    {"both empty", {"", 0}, {"", 0}, true, true, true},
	    {"empty without pointer", {NULL, 0}, {"", 0}, true, true, true},
	    {"same", {"abc", 3}, {"abc", 3}, true, true, true},
	    {"case", {"aBc", 3}, {"Abc", 3}, false, true, false},
	    {"shorter", {"ab", 2}, {"abc", 3}, false, false, false},
	    {"longer", {"abcd", 4}, {"abc", 3}, false, false, true},
	    {"only ASCII folds", {"\xc4", 1}, {"\xe4", 1}, false, false, false},
	    {"at sign is no letter", {"@", 1}, {"`", 1}, false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		check_row(rows[i].name, span_eq(rows[i].a, rows[i].b) == rows[i].eq);
		check_row(
		    rows[i].name, span_eq_nocase(rows[i].a, rows[i].b) == rows[i].eq_nocase);
		check_row(rows[i].name, span_is(rows[i].a, rows[i].b.p) == rows[i].eq);
		check_row(
		    rows[i].name, span_is_nocase(rows[i].a, rows[i].b.p) == rows[i].eq_nocase);
		check_row(
		    rows[i].name, span_starts_with(rows[i].a, rows[i].b.p) == rows[i].starts);
	}
	assert_true(span_starts_with_nocase(span_str("MAIL FROM:<>"), "mail from:"));
	assert_false(span_starts_with_nocase(span_str("MAI"), "mail"));
	assert_false(span_eq(span_make("a\0b", 3), span_make("a\0c", 3)));
	assert_int_equal(span_str(NULL).len, 0);
}

static void
finds_names(void **state)
{
	static const char *const names[] = {"a", "Bb", "ccc"};

	(void)state;
	assert_int_equal(span_among(span_str("a"), names, 3), 0);
	assert_int_equal(span_among(span_make("cccc", 3), names, 3), 2);
	assert_int_equal(span_among(span_str("ccc"), names, 2), -1);
	assert_int_equal(span_among(span_str("bb"), names, 3), -1);
	assert_int_equal(span_among_nocase(span_str("bB"), names, 3), 1);
	assert_int_equal(span_among_nocase(span_str("B"), names, 3), -1);
	assert_int_equal(span_among(span_str(""), names, 3), -1);
}

static void
cuts_until_nothing_is_left(void **state)
{
	static const struct {
		const char *input;
		const char *want[4];
		size_t n;
	} rows[] = {
	    {"", {""}, 1},
	    {"a", {"a"}, 1},
	    {"a,b", {"a", "b"}, 2},
	    {",", {"", ""}, 2},
	    {"a,,b,", {"a", "", "b", ""}, 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span rest = span_str(rows[i].input);
		size_t n = 0;

		while (rest.p != NULL && n < 4) {
			struct span part = span_cut(&rest, ',');

			check_row(rows[i].input, span_is(part, rows[i].want[n]));
			n++;
		}
		check_row(rows[i].input, n == rows[i].n && rest.p == NULL && rest.len == 0);
	}
}

static void
takes_parts(void **state)
{
	static const struct {
		const char *input, *want;
	} trims[] = {{"", ""}, {" \t ", ""}, {" a b\t", "a b"}, {"a", "a"}, {"\ra\n", "\ra\n"}};
	struct span abc = span_str("abc");

	(void)state;
	for (size_t i = 0; i < sizeof trims / sizeof *trims; i++)
		check_row(trims[i].input,
		    span_is(span_trim(span_str(trims[i].input)), trims[i].want));
	assert_true(span_is(span_skip(abc, 0), "abc"));
	assert_true(span_is(span_skip(abc, 2), "c"));
	assert_true(span_is(span_skip(abc, 3), ""));
	assert_true(span_is(span_skip(abc, 9), ""));
	assert_true(span_is(span_first(abc, 0), ""));
	assert_true(span_is(span_first(abc, 2), "ab"));
	assert_true(span_is(span_first(abc, 9), "abc"));
	assert_int_equal(span_index(span_str("abca"), 'a'), 0);
	assert_int_equal(span_rindex(span_str("abca"), 'a'), 3);
	assert_int_equal(span_index(abc, 'x'), -1);
	assert_int_equal(span_rindex(abc, 'x'), -1);
	assert_int_equal(span_index(span_str(NULL), 'x'), -1);
	assert_int_equal(span_rindex(span_str(NULL), 'x'), -1);
}

static void
reads_numbers(void **state)
{
	static const struct {
		const char *input;
		uint64_t max;
		int want;
		uint64_t value;
	} rows[] = {
	    {"0", 0, 0, 0},
	    {"1", 0, -1, 0},
	    {"255", 255, 0, 255},
	    {"256", 255, -1, 0},
	    {"000255", 255, 0, 255},
	    {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
	    {"18446744073709551616", UINT64_MAX, -1, 0},
	    {"99999999999999999999999", UINT64_MAX, -1, 0},
	    {"", 9, -1, 0},
	    {"-1", 9, -1, 0},
	    {"+1", 9, -1, 0},
	    {" 1", 9, -1, 0},
	    {"1 ", 9, -1, 0},
	    {"0x1", 9, -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t v = 42;

		check_row(rows[i].input,
		    span_to_u64(span_str(rows[i].input), rows[i].max, &v) == rows[i].want);
		check_row(rows[i].input, v == (rows[i].want == 0 ? rows[i].value : 42));
	}
}

static void
sees_controls(void **state)
{
	(void)state;
	assert_false(span_has_control(span_str("")));
	assert_false(span_has_control(span_str("a b~\xc3\xbc\x80")));
	assert_true(span_has_control(span_str("a\x1f")));
	assert_true(span_has_control(span_str("\x7f")));
	assert_true(span_has_control(LITERAL("a\0b")));
	assert_true(span_has_control(span_str("\ta")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(compares),
	    cmocka_unit_test(finds_names),
	    cmocka_unit_test(cuts_until_nothing_is_left),
	    cmocka_unit_test(takes_parts),
	    cmocka_unit_test(reads_numbers),
	    cmocka_unit_test(sees_controls),
	};

	return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
