/* test_usage: what is counted in a period, when it is forgotten, and how much is kept. */
#include "conf/usage.h"

#include "tests/unit/testing.h"

#define HOUR UINT64_C(3600000)
#define PART (HOUR / 12)

static const struct units_rate ten = {10, HOUR};

static uint64_t
count(struct usage *u, const char *key, uint64_t now)
{
	return usage_count(u, span_str(key), HOUR, now);
}

static void
add(struct usage *u, const char *key, uint32_t n, uint64_t now)
{
	usage_add(u, span_str(key), HOUR, n, now);
}

static void
counts_each_key_for_a_period(void **state)
{
	struct usage *u = usage_new(100);

	(void)state;
	assert_int_equal(count(u, "a", 5), 0);
	add(u, "a", 3, 10 * HOUR);
	add(u, "a", 2, 10 * HOUR + 2 * PART);
	add(u, "b", 7, 10 * HOUR);
	assert_int_equal(count(u, "a", 10 * HOUR + 2 * PART), 5);
	assert_int_equal(count(u, "b", 10 * HOUR + 2 * PART), 7);
	assert_int_equal(count(u, "ab", 10 * HOUR), 0);
	/* never forgotten before the period is over, and soon after */
	assert_int_equal(count(u, "a", 11 * HOUR), 5);
	assert_int_equal(count(u, "a", 11 * HOUR + PART - 1), 5);
	assert_int_equal(count(u, "a", 11 * HOUR + PART), 2);
	assert_int_equal(count(u, "a", 11 * HOUR + 3 * PART), 0);
	/* the ring goes round */
	for (uint64_t i = 0; i < 100; i++) {
		add(u, "c", 1, 20 * HOUR + i * PART);
		assert_int_equal(count(u, "c", 20 * HOUR + i * PART), i < 13 ? i + 1 : 13);
	}
	add(u, "c", 1, 90 * HOUR);
	assert_int_equal(count(u, "c", 90 * HOUR), 1);
	usage_free(&u);
	assert_null(u);
}

/* Whatever the order of things done: in no period more than allowed, and asked again when told there is room. */
static void
keeps_to_the_rate(void **state)
{
	struct usage *u = usage_new(4);
	uint64_t now = 1, times[2000], n = 0;
	unsigned seed = 7;

	(void)state;
	while (n < 2000) {
		uint64_t wait = usage_wait(u, span_str("k"), &ten, 1, now);

		seed = seed * 1103515245 + 12345;
		if (wait == 0) {
			add(u, "k", 1, now);
			times[n++] = now;
			now += seed / 65536 % 600000;
			continue;
		}
		assert_true(wait <= HOUR + PART);
		if (wait > 1)
			assert_int_not_equal(
			    usage_wait(u, span_str("k"), &ten, 1, now + wait - 1), 0);
		now += wait;
		assert_int_equal(usage_wait(u, span_str("k"), &ten, 1, now), 0);
	}
	for (uint64_t i = 10; i < n; i++)
		assert_true(times[i] - times[i - 10] > HOUR);
	usage_free(&u);
}

static void
tells_how_long_to_wait(void **state)
{
	struct usage *u = usage_new(4);

	(void)state;
	assert_int_equal(usage_wait(u, span_str("k"), &ten, 10, 0), 0);
	assert_int_equal(usage_wait(u, span_str("k"), &ten, 11, 0), 13 * PART);
	add(u, "k", 4, 0);
	add(u, "k", 6, PART);
	assert_int_equal(usage_wait(u, span_str("k"), &ten, 0, PART), 0);
	assert_int_equal(usage_wait(u, span_str("k"), &ten, 1, PART), 12 * PART);
	assert_int_equal(usage_wait(u, span_str("k"), &ten, 4, PART), 12 * PART);
	assert_int_equal(usage_wait(u, span_str("k"), &ten, 5, PART), 13 * PART);
	/* more at once than is allowed at all: when all is forgotten, and not then either */
	assert_int_equal(usage_wait(u, span_str("k"), &ten, 11, PART), 13 * PART);
	assert_int_equal(usage_wait(u, span_str("k"), &ten, 11, 14 * PART), 13 * PART);
	/* large numbers do not wrap */
	add(u, "k", UINT32_MAX, 14 * PART);
	add(u, "k", UINT32_MAX, 14 * PART);
	assert_int_equal(count(u, "k", 14 * PART), UINT32_MAX);
	usage_free(&u);
}

static void
forgets_who_was_quiet_longest(void **state)
{
	struct usage *u = usage_new(1000);
	char key[24];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(key, sizeof key, "%d", i);
		add(u, key, 1, (uint64_t)i);
		add(u, "busy", 1, (uint64_t)i);
	}
	assert_int_equal(count(u, "busy", 100000), 100000);
	assert_int_equal(count(u, "99999", 100000), 1);
	assert_int_equal(count(u, "99001", 100000), 1);
	assert_int_equal(count(u, "99000", 100000), 0);
	usage_free(&u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_each_key_for_a_period),
	    cmocka_unit_test(keeps_to_the_rate),
	    cmocka_unit_test(tells_how_long_to_wait),
	    cmocka_unit_test(forgets_who_was_quiet_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
