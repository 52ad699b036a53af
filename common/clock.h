/*
 * clock: the two clocks. Intervals are measured with the monotonic one, dates
 * written for people and kept across restarts come from the wall clock.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds of the monotonic clock (counts while the machine sleeps: CLOCK_BOOTTIME). */
uint64_t clock_mono_ms(void);

/* Microseconds of the monotonic clock, which stands still while the machine sleeps: for short times. */
uint64_t clock_mono_us(void);

/* Microseconds that this thread has worked: waiting for a processor does not count. */
uint64_t clock_thread_us(void);

/* Seconds and milliseconds since 1970, UTC. */
int64_t clock_wall(void);
int64_t clock_wall_ms(void);

/*
 * A wall clock that nobody can set: what the wall clock showed when it was started, and what has
 * passed since by the monotonic one. For the age of things: setting the clock makes nothing older.
 */
struct clock_steady {
	int64_t wall_ms;
	uint64_t mono_ms;
};
void clock_steady_start(struct clock_steady *c);
int64_t clock_steady_wall_ms(const struct clock_steady *c);

/* Room for a date with its NUL. */
#define CLOCK_DATE_SIZE 48

/* The date form of RFC 5322 3.3 in local time, such as "Sat, 21 Nov 2026 22:50:11 +0000". Returns its length. */
size_t clock_format_rfc5322(int64_t when, char out[CLOCK_DATE_SIZE]);

/* "2026-11-21T22:50:11Z". */
size_t clock_format_iso(int64_t when, char out[CLOCK_DATE_SIZE]);

#endif
