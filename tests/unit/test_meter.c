/* test_meter: counts of the last minutes. */
#include "queue/meter.h"

#include "tests/unit/testing.h"

#define MINUTE 60000

static void
counts_minutes(void **state)
{
	struct meter m = {.slot = 0};
	uint64_t start = 1000 * (uint64_t)MINUTE;

	(void)state;
	assert_int_equal(meter_count(&m, start, 10), 0);
	for (uint64_t i = 0; i < 10; i++)
		meter_add(&m, start + i * MINUTE, 1 + (uint32_t)i);
	assert_int_equal(meter_count(&m, start + 9 * MINUTE, 1), 10);
	assert_int_equal(meter_count(&m, start + 9 * MINUTE, 2), 19);
	assert_int_equal(meter_count(&m, start + 9 * MINUTE, 10), 55);
	assert_int_equal(meter_count(&m, start + 10 * MINUTE, 10), 54);
	assert_int_equal(meter_count(&m, start + 18 * MINUTE, 10), 10);
	assert_int_equal(meter_count(&m, start + 19 * MINUTE, 10), 0);
}

/* What stands in a place of the ring from an hour ago is not counted as new. */
static void
forgets_the_last_round(void **state)
{
	struct meter m = {.slot = 0};

	(void)state;
	for (uint64_t t = 0; t < 60 * (uint64_t)MINUTE; t += METER_SLOT_MS)
		meter_add(&m, t, 1);
	assert_int_equal(meter_count(&m, 60 * MINUTE - 1, 10), 60);
	meter_add(&m, 90 * MINUTE, 5);
	assert_int_equal(meter_count(&m, 90 * MINUTE, 10), 5);
	meter_add(&m, 99 * MINUTE, 5);
	assert_int_equal(meter_count(&m, 99 * MINUTE, 10), 10);
	assert_int_equal(meter_count(&m, 500 * MINUTE, 10), 0);
}

static void
counts_at_the_beginning_of_time(void **state)
{
	struct meter m = {.slot = 0};

	(void)state;
	meter_add(&m, 3, 2);
	assert_int_equal(meter_count(&m, 5, 10), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_minutes),
	    cmocka_unit_test(forgets_the_last_round),
	    cmocka_unit_test(counts_at_the_beginning_of_time),
	};

	return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
