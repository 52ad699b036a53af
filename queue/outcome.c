/*
 * outcome: what becomes of a recipient after an attempt: delivered, tried again and
 * when, failed, given up for its age, its sender warned of the delay. See
 * manager_parts.h. Nothing is given up for its age but by an attempt, or the probe of a dead
 * destination, that failed when it was too old already: an outage of ours, or a clock set wrong,
 * makes no bounces.
 */
#include "common/log.h"
#include "common/log_value.h"
#include "queue/manager_parts.h"
#include "queue/retry.h"
#include "queue/spool_record.h"

void
outcome_log(
    const struct recipient *r, const char *what, const struct verdict *v, struct span mta)
{
	char id[SPOOL_ID_SIZE];

	log_info(
	    "id=%s rcpt=%u to=<%s> %s attempts=%u delay=%lld mta=%.*s status=%s text=%d %s",
	    spool_id_format(r->message->number, id), r->entry,
	    LOG_ADDRESS(span_str(r->address)), what, r->attempts,
	    (long long)(clock_wall() - r->message->received / 1000), SPAN_ARG(mta), v->status,
	    v->code, v->text);
}

void
outcome_report(struct manager *m, struct message *msg)
{
	/* At the very end, when jobs are taken back, it is gone before the agents. */
	if (m->reporter != NULL)
		reporter_consider(m->reporter, msg);
}

static int64_t
age_of(const struct manager *m, const struct recipient *r)
{
	return retry_age(r->message, clock_steady_wall_ms(&m->clock));
}

static const struct config_destination *
settings_of(const struct manager *m, const struct recipient *r, struct span destination)
{
	return config_destination_find(m->config, destination, waitlist_domain_of(r->address));
}

static int64_t
lifetime_of(
    const struct manager *m, const struct recipient *r, const struct config_destination *d)
{
	return (int64_t)config_lifetime_find(m->config, d, r->message->from[0] == '\0');
}

/*
 * The same for all recipients of a message at their nth attempt, so that those that fail together come again
 * together, in one transaction; any two messages differ (the finaliser of SplitMix64).
 */
static uint32_t
jitter(const struct recipient *r)
{
	uint64_t x = r->message->number * 64 + r->attempts;

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(x ^ x >> 31);
}

/* What the report of its delay is to know of its next hop: the section, if it is another than its domain's. */
static uint16_t
section_of(
    const struct manager *m, const struct recipient *r, const struct config_destination *d)
{
	if (d == NULL || d == settings_of(m, r, span_str("")))
		return 0;
	return section_names_number(m->sections, span_str(d->name));
}

static void
defer(struct manager *m, struct recipient *r, const struct outcome *o,
    const struct config_destination *d)
{
	struct config_intervals intervals =
	    config_retry_find(m->config, d, o->verdict->status, o->reached);
	uint64_t ms = retry_interval(intervals, r->attempts, jitter(r));

	r->section = section_of(m, r, d);
	store_defer(m->store, r, o->verdict, clock_wall() + (int64_t)(ms / 1000));
	if (r->state == RECIPIENT_DEFERRED) /* else it is to be held */
		scheduler_add_deferred(m->scheduler, r, ms);
	dispatch_soon(m);
	outcome_log(r, "deferred", o->verdict, o->mta);
}

static void
deliver(struct manager *m, struct recipient *r, const struct outcome *o)
{
	/* A host that offers DSN reports for itself (RFC 3461 5.2.1). */
	if ((r->notify & NOTIFY_SUCCESS) != 0 && !o->dsn && r->message->from[0] != '\0')
		store_succeed(m->store, r, o->local ? RECIPIENT_DELIVERED : RECIPIENT_RELAYED,
		    o->verdict);
	else
		store_deliver(m->store, r, o->verdict);
	outcome_log(r, "delivered", o->verdict, o->mta);
}

static void
put_off_or_give_up(struct manager *m, struct recipient *r, const struct outcome *o)
{
	const struct config_destination *d = settings_of(m, r, o->destination);

	if (age_of(m, r) <= lifetime_of(m, r, d)) {
		defer(m, r, o, d);
		return;
	}
	store_fail(
	    m->store, r, o->verdict); /* the reason stays: the report says it was given up */
	outcome_log(r, "expired", o->verdict, o->mta);
}

/* Is its sender to be told that it is late, once (RFC 3461 4.1, DELAY)? */
static bool
is_late(const struct manager *m, const struct recipient *r)
{
	return !r->warned && (r->notify & NOTIFY_DELAY) != 0 && m->config->delay_warning > 0 &&
	       age_of(m, r) > (int64_t)m->config->delay_warning &&
	       (r->state == RECIPIENT_DEFERRED || r->state == RECIPIENT_PARKED);
}

void
outcome_conclude(struct manager *m, struct recipient *r, const struct outcome *o)
{
	struct message *msg = r->message;

	if (r->attempts < UINT16_MAX)
		r->attempts++;
	recipient_set_mta(r, o->mta);
	r->recovered = false;
	switch (o->verdict->kind) {
	case VERDICT_OK:
		deliver(m, r, o);
		break;
	case VERDICT_PERMANENT:
		store_fail(m->store, r, o->verdict);
		outcome_log(r, "failed", o->verdict, o->mta);
		break;
	case VERDICT_TEMPORARY:
		put_off_or_give_up(m, r, o);
		break;
	}
	outcome_report(m, msg);
	if (m->reporter != NULL && is_late(m, r))
		reporter_warn(m->reporter, msg);
}

/*
 * Too old when the destination was last found not to answer. What is paused waits, however old: there was
 * nothing to fail.
 */
static bool
has_expired(const struct manager *m, const struct recipient *r, const struct destination *d)
{
	int64_t since;

	if (d == NULL || !d->dead || d->last == NULL || waitlist_sender(r)->paused)
		return false;
	since = (int64_t)(clock_mono_ms() - d->failed_at);
	return age_of(m, r) - since > lifetime_of(m, r, settings_of(m, r, span_str(d->name)));
}

void
outcome_on_parked(struct recipient *r, void *arg)
{
	struct manager *m = arg;
	struct message *msg = r->message;
	const struct destination *d = scheduler_destination_of(r);
	struct verdict last;

	if (!has_expired(m, r, d)) {
		if (is_late(m, r) && d != NULL && d->last != NULL) {
			if (r->reason == NULL)
				recipient_set_reason(r, d->last);
			reporter_warn(m->reporter, msg);
		}
		return;
	}
	last = *d->last;
	scheduler_forget(m->scheduler, r);
	store_fail(m->store, r, &last);
	outcome_log(r, "expired", &last, span_str(""));
	outcome_report(m, msg);
}
