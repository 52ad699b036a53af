/* units: sizes, durations and rates. See units.h. */
#include "conf/units.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first: formatting takes the first that divides. */
static const struct unit sizes[] = {
    {"T", UINT64_C(1) << 40}, {"G", UINT64_C(1) << 30}, {"M", UINT64_C(1) << 20},
    {"K", UINT64_C(1) << 10}, {"", 1}, {"B", 1}, /* never written: the one before divides all */
};

static const struct unit durations[] = {
    {"w", UINT64_C(7) * 24 * 3600 * 1000},
    {"d", UINT64_C(24) * 3600 * 1000},
    {"h", UINT64_C(3600) * 1000},
    {"m", UINT64_C(60) * 1000},
    {"s", 1000},
    {"ms", 1},
};

static const struct unit periods[] = {
    {"day", UINT64_C(24) * 3600 * 1000},
    {"hour", UINT64_C(3600) * 1000},
    {"minute", UINT64_C(60) * 1000},
    {"second", 1000},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static int
parse(struct span s, const struct unit *units, size_t n, uint64_t *v)
{
	uint64_t number;
	size_t digits = 0;

	while (digits < s.len && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	if (span_to_u64(span_first(s, digits), UINT64_MAX, &number) != 0)
		return -1;
	s = span_skip(s, digits);
	for (size_t i = 0; i < n; i++) {
		if (span_is_nocase(s, units[i].name))
			return __builtin_mul_overflow(number, units[i].factor, v) ? -1 : 0;
	}
	return -1;
}

int
units_parse_size(struct span s, uint64_t *octets)
{
	return parse(s, sizes, COUNT(sizes), octets);
}

int
units_parse_duration(struct span s, uint64_t *ms)
{
	if (span_is(s, "0")) {
		*ms = 0;
		return 0;
	}
	return parse(s, durations, COUNT(durations), ms);
}

int
units_parse_rate(struct span s, struct units_rate *rate)
{
	ptrdiff_t slash = span_index(s, '/');
	uint64_t number;

	if (slash < 0 ||
	    span_to_u64(span_first(s, (size_t)slash), UNITS_RATE_MAX, &number) != 0 ||
	    number == 0)
		return -1;
	s = span_skip(s, (size_t)slash + 1);
	for (size_t i = 0; i < COUNT(periods); i++) {
		if (span_is(s, periods[i].name)) {
			*rate = (struct units_rate){(uint32_t)number, periods[i].factor};
			return 0;
		}
	}
	return -1;
}

static const char *
format(uint64_t v, const struct unit *units, size_t n, char out[UNITS_TEXT_SIZE])
{
	size_t i = 0;

	/* 0 is a whole number of any unit and written without one. */
	if (v == 0)
		n = 0;
	while (i + 1 < n && v % units[i].factor != 0)
		i++;
	snprintf(out, UNITS_TEXT_SIZE, "%" PRIu64 "%s", v / units[i].factor,
	    n > 0 ? units[i].name : "");
	return out;
}

const char *
units_format_size(uint64_t octets, char out[UNITS_TEXT_SIZE])
{
	return format(octets, sizes, COUNT(sizes), out);
}

const char *
units_format_duration(uint64_t ms, char out[UNITS_TEXT_SIZE])
{
	return format(ms, durations, COUNT(durations), out);
}

const char *
units_format_rate(const struct units_rate *rate, char out[UNITS_TEXT_SIZE])
{
	size_t i = 0;

	while (i + 1 < COUNT(periods) && periods[i].factor != rate->period_ms)
		i++;
	snprintf(out, UNITS_TEXT_SIZE, "%" PRIu32 "/%s", rate->count, periods[i].name);
	return out;
}
