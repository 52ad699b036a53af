/* test_units: sizes and durations. */
#include "conf/units.h"

#include "tests/unit/testing.h"

static void
parses_units(void **state)
{
	static const struct {
		const char *in;
		int64_t size, duration; /* -1: neither */
	} rows[] = {
	    {"0", 0, 0},
	    {"7", 7, -1},
	    {"512K", 524288, -1},
	    {"35m", 35 << 20, 35 * 60000},
	    {"1G", 1 << 30, -1},
	    {"36700160B", 35 << 20, -1},
	    {"1b", 1, -1},
	    {"35MB", -1, -1},
	    {"B", -1, -1},
	    {"5s", -1, 5000},
	    {"200ms", -1, 200},
	    {"4h", -1, 4 * 3600000},
	    {"5d", -1, 5 * 86400000},
	    {"1w", -1, 7 * 86400000},
	    {"", -1, -1},
	    {"K", -1, -1},
	    {"-1", -1, -1},
	    {"+1", -1, -1},
	    {"1.5M", -1, -1},
	    {"1 M", -1, -1},
	    {"1MM", -1, -1},
	    {"0x10", -1, -1},
	    {"18446744073709551616", -1, -1},
	    {"18446744073709551615T", -1, -1},
	    {"18446744073709551615w", -1, -1},
	};
	char text[UNITS_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t v = 12345, again;
		int r = units_parse_size(span_str(rows[i].in), &v);

		check_row(rows[i].in, (r == 0) == (rows[i].size >= 0));
		check_row(rows[i].in, r != 0 || v == (uint64_t)rows[i].size);
		if (r == 0)
			check_row(rows[i].in,
			    units_parse_size(span_str(units_format_size(v, text)), &again) ==
				    0 &&
				again == v);
		r = units_parse_duration(span_str(rows[i].in), &v);
		check_row(rows[i].in, (r == 0) == (rows[i].duration >= 0));
		check_row(rows[i].in, r != 0 || v == (uint64_t)rows[i].duration);
		if (r == 0)
			check_row(rows[i].in,
			    units_parse_duration(
				span_str(units_format_duration(v, text)), &again) == 0 &&
				again == v);
	}
}

static void
reads_rates(void **state)
{
	static const struct {
		const char *in;
		uint32_t count; /* 0: no rate */
		uint64_t period;
	} rows[] = {
	    {"10/second", 10, 1000},
	    {"6/minute", 6, 60000},
	    {"100/hour", 100, 3600000},
	    {"1/day", 1, 86400000},
	    {"1000000/second", 1000000, 1000},
	    {"1000001/second", 0, 0},
	    {"0/second", 0, 0},
	    {"", 0, 0},
	    {"/", 0, 0},
	    {"/second", 0, 0},
	    {"10", 0, 0},
	    {"10/", 0, 0},
	    {"10/s", 0, 0},
	    {"10/seconds", 0, 0},
	    {"10/Second", 0, 0},
	    {"10 / second", 0, 0},
	    {"10/second/", 0, 0},
	    {"-1/second", 0, 0},
	    {"4294967297/second", 0, 0},
	};
	char text[UNITS_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct units_rate rate = {0, 0};
		int r = units_parse_rate(span_str(rows[i].in), &rate);

		check_row(rows[i].in, (r == 0) == (rows[i].count > 0));
		check_row(rows[i].in,
		    rate.count == rows[i].count && rate.period_ms == rows[i].period);
		if (r == 0)
			check_row(rows[i].in,
			    strcmp(units_format_rate(&rate, text), rows[i].in) == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_units),
	    cmocka_unit_test(reads_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
