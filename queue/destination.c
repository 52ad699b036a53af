/* destination: what one destination is given. See destination.h. */
#include "queue/destination.h"

#include <stdlib.h>

#include "common/xalloc.h"

char
destination_key(enum agent_kind kind, bool detour)
{
	static const char keys[AGENT_KINDS][2] = {{'l', 'L'}, {'r', 'R'}};

	return keys[kind][detour];
}

struct destination *
destination_new(enum agent_kind kind, struct span name, bool detour, const struct config *c,
    uint64_t now_ms)
{
	struct destination *d = xcalloc(1, sizeof *d);

	name = span_first(name, DESTINATION_NAME_MAX);
	d->key = xasprintf("%c%.*s", destination_key(kind, detour), SPAN_ARG(name));
	d->name = d->key + 1;
	d->kind = kind;
	d->detour = detour;
	waitlist_init(&d->waiting, d);
	heap_item_init(&d->wake);
	rate_init(&d->rate);
	window_init(&d->window, c->destination_concurrency);
	destination_configure(d, c, now_ms);
	return d;
}

void
destination_free(struct destination **dp)
{
	struct destination *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	free(d->last);
	free(d->key);
	free(d);
}

static uint32_t
cap_of(const struct destination *d, const struct config *c)
{
	if (d->settings != NULL && d->settings->concurrency > 0)
		return d->settings->concurrency;
	return d->kind == AGENT_LOCAL ? DESTINATION_LOCAL_CONCURRENCY
				      : c->destination_concurrency;
}

void
destination_configure(struct destination *d, const struct config *c, uint64_t now_ms)
{
	struct span name = span_str(d->name), none = {"", 0};

	d->settings = d->kind == AGENT_LOCAL ? config_destination_find(c, none, name)
					     : config_destination_find(c, name, none);
	d->retry = config_retry_find(c, d->settings, "4.4.1", false);
	window_set_cap(&d->window, cap_of(d, c));
	if (d->settings != NULL)
		rate_set(
		    &d->rate, d->settings->rate.count, d->settings->rate.period_ms, now_ms);
	else
		rate_set(&d->rate, 0, 0, now_ms);
}

uint32_t
destination_places(const struct destination *d)
{
	if (d->dead)
		return 1;
	return d->kind == AGENT_LOCAL ? d->window.cap : window_places(&d->window);
}

/* Everything but the time. */
static bool
would_send(const struct destination *d)
{
	return d->waiting.nready > 0 && !d->paused && !d->detour &&
	       d->active < destination_places(d);
}

bool
destination_may_send(const struct destination *d, uint64_t now_ms)
{
	return would_send(d) && destination_wake_at(d, now_ms) <= now_ms;
}

uint64_t
destination_wake_at(const struct destination *d, uint64_t now_ms)
{
	uint64_t at = now_ms + rate_wait(&d->rate, now_ms);

	if (!would_send(d))
		return UINT64_MAX;
	return d->dead && d->probe_at > at ? d->probe_at : at;
}

void
destination_begin_job(struct destination *d, uint64_t now_ms)
{
	d->active++;
	d->probing = d->dead;
	rate_start(&d->rate, now_ms);
}

static uint64_t
at_most(uint64_t v, uint64_t most)
{
	return v < most ? v : most;
}

/* Soon at first, for it may have been a hiccup; then as mail would be retried, which never asks for less. */
static void
set_probe_time(struct destination *d, uint64_t now_ms)
{
	size_t i = d->probes > 0 ? d->probes - 1 : 0;
	uint64_t in = d->retry.v[at_most(i, d->retry.n - 1)];

	if (d->probes == 0)
		in = at_most(in, DESTINATION_PROBE_FIRST_MS);
	d->probe_at = now_ms + at_most(in, DESTINATION_PROBE_MAX_MS);
}

static enum destination_change
reached(struct destination *d, uint32_t active)
{
	bool was_dead = d->dead;
	uint32_t cap = d->window.cap;

	d->failing_since = 0;
	free(d->last);
	d->last = NULL;
	d->probes = 0;
	d->dead = false;
	if (was_dead)
		window_init(&d->window, cap);
	else
		window_succeed(&d->window, active);
	return was_dead ? DESTINATION_REVIVED : DESTINATION_SAME;
}

static enum destination_change
not_reached(struct destination *d, const struct verdict *why, bool probe, uint64_t now_ms)
{
	if (d->failing_since == 0)
		d->failing_since = now_ms;
	d->failed_at = now_ms;
	if (why != NULL) {
		if (d->last == NULL)
			d->last = xcalloc(1, sizeof *d->last);
		*d->last = *why;
	}
	if (d->dead && !probe)
		return DESTINATION_SAME; /* a job that was under way when it died */
	if (!d->dead && !window_fail(&d->window))
		return DESTINATION_SAME;
	d->probes += d->dead ? 1 : 0;
	set_probe_time(d, now_ms);
	if (d->dead)
		return DESTINATION_PROBED;
	d->dead = true;
	return DESTINATION_DIED;
}

enum destination_change
destination_end_job(
    struct destination *d, enum job_end end, const struct verdict *why, uint64_t now_ms)
{
	uint32_t active = d->active--;
	bool probe = d->probing;

	d->probing = false; /* a probe is alone: places is 1 then */
	if (end == JOB_LOST || (end == JOB_NOT_REACHED && d->kind == AGENT_LOCAL))
		return DESTINATION_SAME;
	return end == JOB_REACHED ? reached(d, active) : not_reached(d, why, probe, now_ms);
}

void
destination_probe_now(struct destination *d, uint64_t now_ms)
{
	if (d->dead && d->probe_at > now_ms)
		d->probe_at = now_ms;
}
