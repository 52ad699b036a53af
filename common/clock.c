/* clock: the two clocks. See clock.h. */
#include "common/clock.h"

#include <stdio.h>

uint64_t
clock_mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t
clock_mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t
clock_thread_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int64_t
clock_wall(void)
{
	return clock_wall_ms() / 1000;
}

int64_t
clock_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
clock_steady_start(struct clock_steady *c)
{
	c->wall_ms = clock_wall_ms();
	c->mono_ms = clock_mono_ms();
}

int64_t
clock_steady_wall_ms(const struct clock_steady *c)
{
	return c->wall_ms + (int64_t)(clock_mono_ms() - c->mono_ms);
}

size_t
clock_format_rfc5322(int64_t when, char out[CLOCK_DATE_SIZE])
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t t = (time_t)when;
	struct tm tm;
	long off;
	int n;

	localtime_r(&t, &tm);
	off = tm.tm_gmtoff / 60;
	n = snprintf(out, CLOCK_DATE_SIZE, "%s, %02d %s %d %02d:%02d:%02d %c%02ld%02ld",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, off < 0 ? '-' : '+', (off < 0 ? -off : off) / 60,
	    (off < 0 ? -off : off) % 60);
	return n > 0 && n < CLOCK_DATE_SIZE ? (size_t)n : 0;
}

size_t
clock_format_iso(int64_t when, char out[CLOCK_DATE_SIZE])
{
	time_t t = (time_t)when;
	struct tm tm;

	gmtime_r(&t, &tm);
	return strftime(out, CLOCK_DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
