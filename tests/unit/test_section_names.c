/* test_section_names: numbers and names, there and back, until there are no more numbers. */
#include "queue/section_names.h"

#include <stdio.h>

#include "tests/unit/testing.h"

static void
numbers_mean_names(void **state)
{
	struct section_names *s = section_names_new();

	(void)state;
	assert_int_equal(section_names_number(s, span_str("")), 0);
	assert_int_equal(section_names_number(s, span_str("a.test")), 1);
	assert_int_equal(section_names_number(s, span_str(".a.test")), 2);
	assert_int_equal(section_names_number(s, span_str("a.test")), 1);
	assert_true(span_is(section_names_get(s, 1), "a.test"));
	assert_true(span_is(section_names_get(s, 2), ".a.test"));
	assert_true(span_is(section_names_get(s, 0), ""));
	assert_true(span_is(section_names_get(s, 3), ""));
	section_names_free(&s);
	assert_null(s);
	section_names_free(&s);
}

/* Those that have a number keep it; what comes then is as a recipient without a section. */
static void
numbers_end(void **state)
{
	struct section_names *s = section_names_new();
	char name[16];

	(void)state;
	for (unsigned i = 1; i <= UINT16_MAX; i++) {
		snprintf(name, sizeof name, "%u.test", i);
		assert_int_equal(section_names_number(s, span_str(name)), i);
	}
	assert_int_equal(section_names_number(s, span_str("more.test")), 0);
	assert_int_equal(section_names_number(s, span_str("1.test")), 1);
	assert_true(span_is(section_names_get(s, UINT16_MAX), "65535.test"));
	section_names_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_mean_names),
	    cmocka_unit_test(numbers_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
