/*
 * units: sizes, durations and rates as configuration files write them. Pure.
 *
 *	size     = number [B | K | M | G | T]  powers of 1024; with B or without a letter octets
 *	duration = number (ms | s | m | h | d | w), or 0
 *	rate     = number / (second | minute | hour | day), the number from 1 to UNITS_RATE_MAX
 *
 * Whole numbers only, no sign, no space, letters in either case for sizes.
 */
#ifndef CONF_UNITS_H
#define CONF_UNITS_H

#include <stdint.h>

#include "common/span.h"

/* Octets. -1 if it is not a size or does not fit 64 bits. */
int units_parse_size(struct span s, uint64_t *octets);

/* Milliseconds. -1 if it is not a duration (a number without unit is none, but for 0) or does not fit. */
int units_parse_duration(struct span s, uint64_t *ms);

#define UNITS_RATE_MAX 1000000

/* So many in a period. count 0: none was given, there is no limit. */
struct units_rate {
	uint32_t count;
	uint64_t period_ms;
};

/* -1 if it is not a rate. */
int units_parse_rate(struct span s, struct units_rate *rate);

#define UNITS_TEXT_SIZE 32

/* The shortest form that parses to the same value: "35M", "90s", "0". Return out. */
const char *units_format_size(uint64_t octets, char out[UNITS_TEXT_SIZE]);
const char *units_format_duration(uint64_t ms, char out[UNITS_TEXT_SIZE]);
const char *units_format_rate(const struct units_rate *rate, char out[UNITS_TEXT_SIZE]);

#endif
