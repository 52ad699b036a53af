/* test_clock: the two clocks and the two date forms. */
#include "common/clock.h"

#include <stdlib.h>

#include "tests/unit/testing.h"

static void
writes_dates(void **state)
{
	static const struct {
		const char *zone;
		int64_t when;
		const char *mail, *iso;
	} rows[] = {
	    {"UTC0", 0, "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z"},
	    {"UTC0", 1795301411, "Sat, 21 Nov 2026 22:50:11 +0000", "2026-11-21T22:50:11Z"},
	    {"UTC0", 1709210096, "Thu, 29 Feb 2024 12:34:56 +0000", "2024-02-29T12:34:56Z"},
	    {"UTC0", 4102444800, "Fri, 01 Jan 2100 00:00:00 +0000", "2100-01-01T00:00:00Z"},
	    {"XST-5:30", 0, "Thu, 01 Jan 1970 05:30:00 +0530", "1970-01-01T00:00:00Z"},
	    {"XST3:30", 0, "Wed, 31 Dec 1969 20:30:00 -0330", "1970-01-01T00:00:00Z"},
	    {"XST0:30", 0, "Wed, 31 Dec 1969 23:30:00 -0030", "1970-01-01T00:00:00Z"},
	    {"XST-14", 0, "Thu, 01 Jan 1970 14:00:00 +1400", "1970-01-01T00:00:00Z"},
	};
	char out[CLOCK_DATE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		setenv("TZ", rows[i].zone, 1);
		tzset();
		check_row(rows[i].mail, clock_format_rfc5322(rows[i].when, out) == strlen(out));
		check_row(rows[i].mail, strcmp(out, rows[i].mail) == 0);
		check_row(rows[i].iso, clock_format_iso(rows[i].when, out) == strlen(out));
		check_row(rows[i].iso, strcmp(out, rows[i].iso) == 0);
	}
	unsetenv("TZ");
	tzset();
}

static void
runs_forward(void **state)
{
	uint64_t before = clock_mono_ms(), after;

	(void)state;
	nanosleep(&(struct timespec){0, 20000000}, NULL);
	after = clock_mono_ms();
	assert_true(after >= before + 19 && after < before + 60000);
}

static void
tells_the_time(void **state)
{
	time_t now = time(NULL);

	(void)state;
	assert_in_range(clock_wall(), now - 1, now + 2);
	assert_in_range(clock_wall_ms() / 1000, now - 1, now + 2);
}

/* The start says what it is measured from: a wall clock set since does not matter. */
static void
keeps_steady(void **state)
{
	struct clock_steady c;
	int64_t day = 86400000;

	(void)state;
	clock_steady_start(&c);
	assert_in_range(
	    clock_steady_wall_ms(&c), clock_wall_ms() - 1000, clock_wall_ms() + 1000);
	c.wall_ms -= day; /* as if the wall clock had been set a day forward after the start */
	assert_in_range(
	    clock_steady_wall_ms(&c) + day, clock_wall_ms() - 1000, clock_wall_ms() + 1000);
	c.mono_ms -= 5000;
	assert_in_range(
	    clock_steady_wall_ms(&c) + day, clock_wall_ms() + 4000, clock_wall_ms() + 6000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_dates),
	    cmocka_unit_test(runs_forward),
	    cmocka_unit_test(tells_the_time),
	    cmocka_unit_test(keeps_steady),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
