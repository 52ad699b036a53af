/* rate: evenly spaced starts. See rate.h. Microseconds, so that 7 a second are 7. */
#include "queue/rate.h"

void
rate_init(struct rate *r)
{
	*r = (struct rate){.interval_us = 0};
}

void
rate_set(struct rate *r, uint32_t count, uint64_t period_ms, uint64_t now_ms)
{
	uint64_t latest;

	r->interval_us = count > 0 ? period_ms * 1000 / count : 0;
	latest = now_ms * 1000 + r->interval_us;
	if (r->next_us > latest)
		r->next_us = latest;
}

uint64_t
rate_wait(const struct rate *r, uint64_t now_ms)
{
	uint64_t now_us = now_ms * 1000;

	if (r->interval_us == 0 || r->next_us <= now_us)
		return 0;
	return (r->next_us - now_us + 999) / 1000;
}

void
rate_start(struct rate *r, uint64_t now_ms)
{
	uint64_t now_us = now_ms * 1000, from = r->next_us;

	if (from > now_us || now_us - from > r->interval_us ||
	    now_us - from > RATE_LATE_MS * 1000)
		from = now_us;
	r->next_us = from + r->interval_us;
}
