/* test_rate: starts per time, evenly spaced. */
#include "queue/rate.h"

#include "tests/unit/testing.h"

/* Starts as early as allowed, with the loop coming `late` milliseconds after each time; how many until end. */
static unsigned
starts_until(struct rate *r, uint64_t now, uint64_t end, uint64_t late)
{
	unsigned n = 0;

	while ((now += rate_wait(r, now) + late) < end) {
		rate_start(r, now);
		n++;
		if (late == 0 && rate_wait(r, now) == 0)
			break; /* no limit */
	}
	return n;
}

static void
spaces_evenly(void **state)
{
	static const struct {
		const char *name;
		uint32_t count;
		uint64_t period, late;
		unsigned in_ten_minutes;
	} rows[] = {
	    {"ten a second", 10, 1000, 0, 6000},
	    {"seven a second: no round number of milliseconds", 7, 1000, 0, 4200},
	    {"six a minute", 6, 60000, 0, 60},
	    {"a hundred an hour", 100, 3600000, 0, 17},
	    {"a loop that is late all the time", 10, 1000, 3, 6000},
	    {"a thousand a second", 1000, 1000, 0, 600000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct rate r;
		unsigned n;

		rate_init(&r);
		rate_set(&r, rows[i].count, rows[i].period, 5000);
		n = starts_until(&r, 5000, 605000, rows[i].late);
		check_row(rows[i].name, n + 1 >= rows[i].in_ten_minutes);
		check_row(rows[i].name, n <= rows[i].in_ten_minutes + 1);
	}
}

/* Six at once is not six a minute. */
static void
second_start_waits(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r);
	rate_set(&r, 6, 60000, 1000);
	assert_int_equal(rate_wait(&r, 1000), 0);
	rate_start(&r, 1000);
	assert_int_equal(rate_wait(&r, 1000), 10000);
	assert_int_equal(rate_wait(&r, 10999), 1);
	assert_int_equal(rate_wait(&r, 11000), 0);
}

/* An hour of silence saves nothing up. */
static void
saves_nothing(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r);
	rate_set(&r, 6, 60000, 0);
	rate_start(&r, 0);
	rate_start(&r, 3600000);
	assert_int_equal(rate_wait(&r, 3600000), 10000);
	rate_start(&r, 3615000);
	assert_int_equal(rate_wait(&r, 3615000), 10000);
}

static void
without_a_limit(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r);
	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(rate_wait(&r, 77), 0);
		rate_start(&r, 77);
	}
}

/* A new configuration does not leave the old one's hour to wait for. */
static void
takes_another_rate(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r);
	rate_set(&r, 1, 3600000, 0);
	rate_start(&r, 0);
	assert_int_equal(rate_wait(&r, 100), 3599900);
	rate_set(&r, 1, 1000, 100);
	assert_int_equal(rate_wait(&r, 100), 1000);
	rate_set(&r, 0, 0, 200);
	assert_int_equal(rate_wait(&r, 200), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spaces_evenly),
	    cmocka_unit_test(second_start_waits),
	    cmocka_unit_test(saves_nothing),
	    cmocka_unit_test(without_a_limit),
	    cmocka_unit_test(takes_another_rate),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
