/*
 * testing: cmocka with the headers it wants, the check a row of a table makes, and
 * an event loop that ends. Included by tests/unit/test_*.c.
 */
#ifndef TESTS_UNIT_TESTING_H
#define TESTS_UNIT_TESTING_H

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/clock.h"
#include "common/span.h"

/* Fails the test naming the row. */
#define check_row(row, condition)                                                              \
	do {                                                                                   \
		if (!(condition))                                                              \
			fail_msg("%s: %s", (row), #condition);                                 \
	} while (0)

/* A span of a string literal, NULs inside counted. */
#define LITERAL(s) span_make((s), sizeof(s) - 1)

/* The same for an initialiser of static storage. */
#define LITERAL_INIT(s)                                                                        \
	{                                                                                      \
		(s), sizeof(s) - 1                                                             \
	}

/* Runs the loop until *count has reached want; false after five seconds. */
static inline bool
testing_run_until(struct event_base *base, const int *count, int want)
{
	uint64_t end = clock_mono_ms() + 5000;

	while (*count < want) {
		if (clock_mono_ms() >= end)
			return false;
		event_base_loop(base, EVLOOP_NONBLOCK);
		nanosleep(&(struct timespec){0, 500000}, NULL);
	}
	return true;
}

/* Runs the loop for some milliseconds, for what must not happen. */
static inline void
testing_run_for(struct event_base *base, unsigned ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		nanosleep(&(struct timespec){0, 500000}, NULL);
	}
}

#endif
