/* retry: ages and intervals. See retry.h. */
#include "queue/retry.h"

#define MINUTE_MS 60000
#define SKEW_MAX  ((1 << 27) - 1) /* minutes that fit message.skew: 255 years */

uint64_t
retry_interval(struct config_intervals intervals, unsigned attempts, uint32_t random)
{
	size_t i = attempts > 0 ? attempts - 1 : 0;
	uint64_t base = intervals.v[i < intervals.n ? i : intervals.n - 1];

	return base - base / 10 + random % (base / 5 + 1);
}

static uint64_t
longest_of(uint64_t longest, const uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] > longest)
			longest = v[i];
	return longest;
}

uint64_t
retry_longest(const struct config *c)
{
	uint64_t longest = longest_of(0, c->retry, c->nretry);

	for (size_t i = 0; i < c->ndestinations; i++)
		longest =
		    longest_of(longest, c->destinations[i].retry, c->destinations[i].nretry);
	for (size_t i = 0; i < c->nretry_statuses; i++)
		longest = longest_of(
		    longest, c->retry_statuses[i].retry, c->retry_statuses[i].nretry);
	return longest + longest / 10;
}

uint64_t
retry_after_restart(int64_t next, int64_t now_wall, uint64_t longest)
{
	if (next <= now_wall)
		return 0;
	if ((uint64_t)(next - now_wall) > longest / 1000)
		return longest;
	return (uint64_t)(next - now_wall) * 1000;
}

void
retry_set_birth(struct message *m, bool recovered, int64_t steady_ms, int64_t wall_ms)
{
	int64_t skew = steady_ms - wall_ms;

	if (recovered)
		skew = m->received > steady_ms ? steady_ms - m->received : 0;
	if (message_release(m) * 1000 > m->received)
		skew += message_release(m) * 1000 - m->received;
	/* To the nearest: cut off, a skew of a millisecond below ten days would be a minute off. */
	skew = (skew + (skew < 0 ? -MINUTE_MS : MINUTE_MS) / 2) / MINUTE_MS;
	m->skew = (int32_t)(skew > SKEW_MAX ? SKEW_MAX : skew < -SKEW_MAX ? -SKEW_MAX : skew);
}

int64_t
retry_age(const struct message *m, int64_t steady_ms)
{
	return steady_ms - m->received - (int64_t)m->skew * MINUTE_MS;
}
