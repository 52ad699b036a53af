/* test_retry: intervals, ages, and what a clock that jumps does to them. */
#include "queue/retry.h"

#include "tests/unit/testing.h"

#define MINUTE 60000LL
#define DAY    86400000LL

static void
intervals_grow_with_jitter(void **state)
{
	static const uint64_t schedule[] = {300000, 600000, 1200000};
	struct config_intervals v = {schedule, 3};

	(void)state;
	for (uint32_t random = 0; random < 100000; random += 777) {
		assert_in_range(retry_interval(v, 0, random), 270000, 330000);
		assert_in_range(retry_interval(v, 1, random), 270000, 330000);
		assert_in_range(retry_interval(v, 2, random), 540000, 660000);
		assert_in_range(retry_interval(v, 50, random), 1080000, 1320000);
	}
	assert_true(retry_interval(v, 1, 1) != retry_interval(v, 1, 5000));
}

static void
finds_the_longest(void **state)
{
	uint64_t few[] = {1000, 2000}, more[] = {1000, 50000}, most[] = {90000, 10};
	struct config_destination d = {.retry = most, .nretry = 2};
	struct config_retry_status s = {.retry = more, .nretry = 2};
	struct config c = {.retry = few, .nretry = 2};

	(void)state;
	assert_int_equal(retry_longest(&c), 2200);
	c.retry_statuses = &s;
	c.nretry_statuses = 1;
	assert_int_equal(retry_longest(&c), 55000);
	c.destinations = &d;
	c.ndestinations = 1;
	assert_int_equal(retry_longest(&c), 99000);
}

/* CD-07: a next time far off, because the clock was ahead or is behind, is pulled in. */
static void
a_restart_keeps_the_next_time(void **state)
{
	static const struct {
		const char *name;
		int64_t next, now;
		uint64_t want;
	} rows[] = {
	    {"in ten minutes", 1000600, 1000000, 600000},
	    {"now", 1000000, 1000000, 0},
	    {"while we were down", 999000, 1000000, 0},
	    {"the clock went back a day", 1000000 + 86400, 1000000, 4400000},
	    {"nonsense", INT64_MAX, 1000000, 4400000},
	    {"never set", 0, 1000000, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(rows[i].name,
		    retry_after_restart(rows[i].next, rows[i].now, 4400000) == rows[i].want);
}

/* CD-05, CD-06: how old a message is, whatever the wall clock did before it came and after. */
static void
ages_are_steady(void **state)
{
	static const struct {
		const char *name;
		bool recovered;
		int64_t received, steady, wall; /* when it came into memory */
		int64_t later, want;		/* steady clock later on; age then */
	} rows[] = {
	    {"just come", false, 100 * DAY, 100 * DAY, 100 * DAY, 100 * DAY + 5000, 5000},
	    {"came after the clock was set ten days on", false, 110 * DAY, 100 * DAY, 110 * DAY,
		101 * DAY, DAY},
	    {"came after it was set a day back", false, 99 * DAY, 100 * DAY, 99 * DAY,
		100 * DAY + MINUTE, MINUTE},
	    {"ten days on, less a millisecond", false, 110 * DAY, 100 * DAY, 110 * DAY - 1,
		101 * DAY, DAY},
	    {"a day back, less a millisecond", false, 99 * DAY, 100 * DAY, 99 * DAY + 1,
		100 * DAY + MINUTE, MINUTE},
	    {"the host booted in 1970 and was put right", false, 20000 * DAY, 5 * MINUTE,
		20000 * DAY, 5 * MINUTE + DAY, DAY},
	    {"a clock adjusted by seconds", false, 100 * DAY, 100 * DAY, 100 * DAY + 2500,
		100 * DAY + 1000, 1000},
	    {"recovered, two days old", true, 98 * DAY, 100 * DAY, 100 * DAY, 100 * DAY,
		2 * DAY},
	    {"recovered, from the future: new", true, 103 * DAY, 100 * DAY, 100 * DAY,
		101 * DAY, DAY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct message m = {.received = rows[i].received};

		retry_set_birth(&m, rows[i].recovered, rows[i].steady, rows[i].wall);
		check_row(rows[i].name, retry_age(&m, rows[i].later) == rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(intervals_grow_with_jitter),
	    cmocka_unit_test(finds_the_longest),
	    cmocka_unit_test(a_restart_keeps_the_next_time),
	    cmocka_unit_test(ages_are_steady),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
