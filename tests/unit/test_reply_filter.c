/* test_reply_filter: which replies of DNS lists count. */
#include "conf/reply_filter.h"

#include "tests/unit/testing.h"

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static void
reads_and_says(void **state)
{
	static const char *const good[] = {"127.0.0.2", "127.0.0.2..11", "127.0..255.0.4",
	    "127.0.0..1.0..255", "127.255.255.255"};
	static const char *const bad[] = {"", "127", "127.0.0", "127.0.0.", "127.0.0.2..",
	    "127.0.0..2", "127.0.0.11..2", "127.0.0.256", "127.0.0.1000", "127.0.0.2...3",
	    "127.0.0.2.3", "10.0.0.2", "126..127.0.0.2", "127..128.0.0.2", "127.0.0.2 ",
	    "127.0.0.-2", "::1", "127.0.0.2..3..4"};
	char text[REPLY_FILTER_TEXT_SIZE];
	struct reply_filter f;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		check_row(good[i], reply_filter_parse(span_str(good[i]), &f) == 0);
		assert_string_equal(reply_filter_format(&f, text), good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check_row(bad[i], reply_filter_parse(span_str(bad[i]), &f) != 0);
}

static void
matches_both_ends(void **state)
{
	struct reply_filter f;

	(void)state;
	assert_int_equal(reply_filter_parse(span_str("127.0.0..1.2..11"), &f), 0);
	assert_true(reply_filter_matches(&f, IP(127, 0, 0, 2)));
	assert_true(reply_filter_matches(&f, IP(127, 0, 1, 11)));
	assert_false(reply_filter_matches(&f, IP(127, 0, 0, 1)));
	assert_false(reply_filter_matches(&f, IP(127, 0, 0, 12)));
	assert_false(reply_filter_matches(&f, IP(127, 0, 2, 2)));
	assert_false(reply_filter_matches(&f, IP(127, 1, 0, 2)));
}

static void
passes_over_what_lists_say_of_the_asker(void **state)
{
	(void)state;
	assert_true(reply_filter_counts(IP(127, 0, 0, 2)));
	assert_true(reply_filter_counts(IP(127, 255, 254, 2)));
	assert_false(reply_filter_counts(IP(127, 255, 255, 254)));
	assert_false(reply_filter_counts(IP(127, 0, 0, 1)));
	assert_false(reply_filter_counts(IP(192, 0, 2, 1)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_and_says),
	    cmocka_unit_test(matches_both_ends),
	    cmocka_unit_test(passes_over_what_lists_say_of_the_asker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
