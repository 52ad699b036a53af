/* Files of drop/ that were put off: each by itself, longer each time, forgotten when gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "queue/drop_delays.h"

static void
test_each_waits_alone_and_longer(void **state)
{
	struct drop_delays d;

	(void)state;
	drop_delays_init(&d);
	assert_true(drop_delays_may_try(&d, "a.msg", 0));
	drop_delays_put_off(&d, "a.msg", 1000);
	assert_false(drop_delays_may_try(&d, "a.msg", 10999));
	assert_true(drop_delays_may_try(&d, "b.msg", 1000));
	assert_true(drop_delays_may_try(&d, "a.msg", 11000));
	drop_delays_put_off(&d, "a.msg", 11000);
	assert_false(drop_delays_may_try(&d, "a.msg", 30999));
	assert_true(drop_delays_may_try(&d, "a.msg", 31000));
	for (int i = 0; i < 50; i++)
		drop_delays_put_off(&d, "a.msg", 0);
	assert_true(drop_delays_may_try(&d, "a.msg", DROP_DELAY_MOST_MS));
	assert_false(drop_delays_may_try(&d, "a.msg", DROP_DELAY_MOST_MS - 1));
	drop_delays_release(&d);
}

static void
test_what_is_gone_is_forgotten(void **state)
{
	static const char *const names[] = {"a.msg", "b.msg", "c.msg"};
	struct drop_delays d;

	(void)state;
	drop_delays_init(&d);
	for (int i = 0; i < 3; i++)
		drop_delays_put_off(&d, names[i], 0);
	drop_delays_begin_look(&d);
	(void)drop_delays_may_try(&d, "b.msg", 0);
	drop_delays_end_look(&d);
	assert_int_equal(hash_count(&d.names), 1);
	assert_true(drop_delays_may_try(&d, "a.msg", 0));
	assert_false(drop_delays_may_try(&d, "b.msg", 0));
	drop_delays_release(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_waits_alone_and_longer),
	    cmocka_unit_test(test_what_is_gone_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
