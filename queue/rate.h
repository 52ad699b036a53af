/*
 * rate: starts of something, evenly spaced: 6 a minute is one every ten seconds,
 * not six at once and then a pause. Pure; used by queue/destination.
 */
#ifndef QUEUE_RATE_H
#define QUEUE_RATE_H

#include <stdint.h>

struct rate {
	uint64_t interval_us; /* between two starts; 0: no limit */
	uint64_t next_us;     /* monotonic: no start before */
};

/* No limit, and no start yet. */
void rate_init(struct rate *r);

/*
 * count starts per period (milliseconds) from now on; count 0: no limit. What the last start
 * asks for stays in force, but never for longer than one new interval after now.
 */
void rate_set(struct rate *r, uint32_t count, uint64_t period_ms, uint64_t now_ms);

/* Milliseconds until a start is allowed, 0 if it is. */
uint64_t rate_wait(const struct rate *r, uint64_t now_ms);

/*
 * Something is started. One that comes a little late (RATE_LATE_MS: a busy loop) does not push the
 * following ones back, so that the rate is kept on the average; time in which nothing wanted to start is not saved up.
 */
#define RATE_LATE_MS 50
void rate_start(struct rate *r, uint64_t now_ms);

#endif
