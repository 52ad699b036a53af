/* test_window: how a destination's concurrency follows what becomes of its jobs. */
#include "queue/window.h"

#include "tests/unit/testing.h"

static void
starts_at_five_or_the_cap(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, 20);
	assert_int_equal(window_places(&w), 5);
	window_init(&w, 3);
	assert_int_equal(window_places(&w), 3);
	window_init(&w, 1);
	assert_int_equal(window_places(&w), 1);
}

/* A whole window of successes is worth one place. */
static void
grows_by_a_place_a_window(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, 20);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(window_places(&w), 5);
		window_succeed(&w, 5);
	}
	window_succeed(&w, 5);
	assert_int_equal(window_places(&w), 6);
	for (int i = 0; i < 1000; i++)
		window_succeed(&w, 20);
	assert_int_equal(window_places(&w), 20);
}

static void
does_not_grow_unused(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, 20);
	for (int i = 0; i < 1000; i++)
		window_succeed(&w, 2);
	assert_int_equal(window_places(&w), 5);
}

static void
shrinks_to_one_place(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, 20);
	for (int i = 0; i < 1000; i++)
		(void)window_fail(&w);
	assert_int_equal(window_places(&w), 1);
	window_succeed(&w, 1);
	assert_int_equal(window_places(&w), 2);
}

/* Never one failure and out, and never more than some dozens in vain. */
static void
is_dead_after_two_windows_of_failures(void **state)
{
	static const struct {
		const char *name;
		uint32_t cap, successes, least, most;
	} rows[] = {
	    {"one place", 1, 0, 2, 2},
	    {"two places", 2, 0, 3, 4},
	    {"at the start", 20, 0, 8, 10},
	    {"wide open", 20, 1000, 36, 40},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct window w;
		uint32_t n = 1;

		window_init(&w, rows[i].cap);
		for (uint32_t k = 0; k < rows[i].successes; k++)
			window_succeed(&w, rows[i].cap);
		while (!window_fail(&w))
			n++;
		check_row(rows[i].name, n >= rows[i].least && n <= rows[i].most);
	}
}

/* A host that answers every third time never counts as dead. */
static void
lives_on_some_successes(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, 20);
	for (int i = 0; i < 1000; i++) {
		assert_false(window_fail(&w));
		if (window_places(&w) > 1)
			assert_false(window_fail(&w));
		window_succeed(&w, window_places(&w));
	}
	assert_in_range(window_places(&w), 1, 2);
}

static void
takes_another_cap(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, 20);
	for (int i = 0; i < 1000; i++)
		window_succeed(&w, 20);
	window_set_cap(&w, 7);
	assert_int_equal(window_places(&w), 7);
	window_set_cap(&w, 50);
	assert_int_equal(window_places(&w), 7);
	for (int i = 0; i < 5000; i++)
		window_succeed(&w, 50);
	assert_int_equal(window_places(&w), 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(starts_at_five_or_the_cap),
	    cmocka_unit_test(grows_by_a_place_a_window),
	    cmocka_unit_test(does_not_grow_unused),
	    cmocka_unit_test(shrinks_to_one_place),
	    cmocka_unit_test(is_dead_after_two_windows_of_failures),
	    cmocka_unit_test(lives_on_some_successes),
	    cmocka_unit_test(takes_another_cap),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
