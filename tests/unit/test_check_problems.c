/* test_check_problems: what postrider check has found is told once, and in the order of lines. */
#include "queue/check_problems.h"

#include "tests/unit/testing.h"

static void
test_once_and_in_order(void **state)
{
	static const char *const want[] = {
	    "p.conf:9: first",
	    "/v/a.test/etc/aliases:2: x@a.test goes nowhere",
	    "/v/a.test/etc/aliases:8: |prog: not done here; mail waits",
	    "/v/a.test/etc/aliases:10: a.test/etc/none: does not exist",
	    "/v/a.test/etc/aliases:11: a.test/etc/none: does not exist",
	    "/v/a.test: belongs to root",
	    "/v/b.test/etc/aliases:8: not done here",
	    "/v/c:1 d/e:3: in a path with colons",
	    "/v/c:1 d/e:20: the same",
	};
	struct config_errors errors = {0};

	(void)state;
	config_errors_add(&errors, "p.conf", 9, "first");
	config_errors_add_text(
	    &errors, "/v/a.test/etc/aliases:8: |prog: not done here; mail waits");
	config_errors_add_text(&errors, "/v/a.test/etc/none: does not exist");
	check_problems_add(
	    &errors, "/v", "a.test/etc/aliases:10: a.test/etc/none: does not exist");
	check_problems_add(
	    &errors, "/v", "a.test/etc/aliases:11: a.test/etc/none: does not exist");
	check_problems_add(&errors, "/v", "a.test/etc/aliases:8: not done here");
	check_problems_add(&errors, "/v", "a.test: belongs to root");
	check_problems_add(&errors, "/v", "a.test: belongs to root");
	check_problems_add(&errors, "/v", "b.test/etc/aliases:8: not done here");
	check_problems_add(&errors, "/v", "a.test/etc/aliases:2: x@a.test goes nowhere");
	check_problems_add(&errors, "/v", "c:1 d/e:20: the same");
	check_problems_add(&errors, "/v", "c:1 d/e:3: in a path with colons");
	check_problems_order(&errors);
	assert_int_equal(errors.n, sizeof want / sizeof *want);
	for (size_t i = 0; i < errors.n; i++)
		assert_string_equal(errors.v[i].text, want[i]);
	config_errors_release(&errors);
	check_problems_order(&errors);
	assert_int_equal(errors.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_once_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
