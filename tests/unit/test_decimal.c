/* test_decimal: numbers as text, from the least to the largest. */
#include "common/decimal.h"

#include "tests/unit/testing.h"

static void
writes_numbers(void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
	} rows[] = {{0, "0"}, {7, "7"}, {10, "10"}, {250, "250"}, {4294967296, "4294967296"},
	    {UINT64_MAX, "18446744073709551615"}};
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		buf_init(&b, 20);
		assert_int_equal(decimal_add(&b, rows[i].n), 0);
		assert_string_equal(buf_str(&b), rows[i].want);
		buf_release(&b);
	}
	buf_init(&b, 2);
	assert_int_equal(decimal_add(&b, 100), -1);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(writes_numbers)};

	return cmocka_run_group_tests_name("decimal", tests, NULL, NULL);
}
