/*
 * scheduler_explain: why a recipient waits, and until when, in words; for
 * `postrider queue show` and `summary`. Pure, and it changes nothing: a forked
 * child may ask it of its frozen copy.
 */
#include <inttypes.h>

#include "common/clock.h"
#include "queue/scheduler.h"

/* "45s", "12m", "3h", "2d": whole units, rounded up. */
static void
add_duration(struct buf *out, uint64_t ms)
{
	static const struct {
		uint64_t below, unit;
		char name;
	} units[] = {
	    {120000, 1000, 's'},
	    {120 * 60000ULL, 60000, 'm'},
	    {48 * 3600000ULL, 3600000, 'h'},
	    {UINT64_MAX, 86400000, 'd'},
	};
	size_t i = 0;

	while (ms >= units[i].below)
		i++;
	buf_addf(out, "%" PRIu64 "%c", (ms + units[i].unit - 1) / units[i].unit, units[i].name);
}

static void
add_time(struct buf *out, uint64_t at_ms, uint64_t now_ms, int64_t wall)
{
	char date[CLOCK_DATE_SIZE];
	uint64_t in = at_ms > now_ms ? at_ms - now_ms : 0;

	clock_format_iso(wall + (int64_t)(in / 1000), date);
	buf_addf(out, "%s (in ", date);
	add_duration(out, in);
	buf_add_char(out, ')');
}

static void
explain_dead(const struct destination *d, uint64_t now_ms, int64_t wall, struct buf *out)
{
	char date[CLOCK_DATE_SIZE];

	clock_format_iso(wall - (int64_t)((now_ms - d->failing_since) / 1000), date);
	buf_addf(out, "%s has not answered since %s; ", d->name, date);
	if (d->probing) {
		buf_add_str(out, "it is being probed");
	} else {
		buf_add_str(out, "next probe ");
		add_time(out, d->probe_at, now_ms, wall);
	}
	if (d->last != NULL)
		buf_addf(out, "; last: %s %s", d->last->status, d->last->text);
}

void
scheduler_explain_destination(
    const struct destination *d, uint64_t now_ms, int64_t wall, struct buf *out)
{
	uint64_t wait = rate_wait(&d->rate, now_ms);

	if (d->paused)
		buf_addf(out, "%s is paused by the administrator", d->name);
	else if (d->dead)
		explain_dead(d, now_ms, wall, out);
	else if (d->active >= destination_places(d))
		buf_addf(out,
		    "%" PRIu32 " deliveries to %s are under way, as many as it takes now",
		    d->active, d->name);
	else if (wait > 0) {
		buf_addf(out, "the rate set for %s allows the next delivery in ", d->name);
		add_duration(out, wait);
	}
}

static void
explain_waiting(const struct recipient *r, uint64_t now_ms, int64_t wall, struct buf *out)
{
	const struct destination *d = waitlist_of(r)->destination;
	const struct sender *sender = waitlist_sender(r);
	size_t before = out->len;

	if (sender->paused) {
		buf_addf(out, "mail of senders %s%s is paused by the administrator",
		    sender->domain[0] != '\0' ? "of " : "without an address", sender->domain);
		return;
	}
	if (d == NULL) {
		buf_addf(out, "waits to be resolved, among %" PRIu32, waitlist_of(r)->n);
		return;
	}
	scheduler_explain_destination(d, now_ms, wall, out);
	if (out->len == before)
		buf_addf(
		    out, "waits for its turn at %s, among %" PRIu32, d->name, d->waiting.n);
	else
		buf_addf(out, "; %" PRIu32 " wait for it", d->waiting.n);
}

static void
explain_deferred(const struct recipient *r, uint64_t now_ms, int64_t wall, struct buf *out)
{
	if (recipient_release(r) > wall)
		buf_add_str(out, "future release until ");
	else if (r->attempts > 0)
		buf_addf(out, "attempt %u did not succeed; by the retry schedule the next is ",
		    (unsigned)r->attempts);
	else
		buf_add_str(out, "put off for a moment, until ");
	add_time(out, r->due.key, now_ms, wall);
}

void
scheduler_explain(const struct recipient *r, uint64_t now_ms, int64_t wall, struct buf *out)
{
	switch ((enum recipient_state)r->state) {
	case RECIPIENT_DUE:
	case RECIPIENT_WAITING:
	case RECIPIENT_PARKED:
		explain_waiting(r, now_ms, wall, out);
		break;
	case RECIPIENT_RESOLVING:
		buf_add_str(out, "the directory has been asked where it goes");
		break;
	case RECIPIENT_ACTIVE:
		buf_addf(out, "is being delivered to %s", r->destination->name);
		break;
	case RECIPIENT_DEFERRED:
		explain_deferred(r, now_ms, wall, out);
		break;
	case RECIPIENT_HELD:
		buf_add_str(out, "held until it is released by the administrator");
		break;
	case RECIPIENT_FAILED:
		buf_add_str(out, "failed; its sender is about to be told");
		break;
	case RECIPIENT_TELL:
		buf_add_str(out, "done; its sender is about to be told");
		break;
	case RECIPIENT_SETTLED:
		break;
	}
	if (r->held && r->state != RECIPIENT_HELD)
		buf_add_str(out, "; will be held then");
}

uint64_t
scheduler_next_time(const struct recipient *r, uint64_t now_ms)
{
	const struct destination *d;
	uint64_t wait;

	if (r->state == RECIPIENT_DEFERRED)
		return r->due.key > now_ms ? r->due.key - now_ms : 0;
	if (r->state != RECIPIENT_DUE && r->state != RECIPIENT_WAITING &&
	    r->state != RECIPIENT_PARKED)
		return UINT64_MAX;
	d = waitlist_of(r)->destination;
	if (waitlist_sender(r)->paused || (d != NULL && d->paused))
		return UINT64_MAX;
	if (d == NULL)
		return 0;
	wait = rate_wait(&d->rate, now_ms);
	return d->dead && d->probe_at > now_ms + wait ? d->probe_at - now_ms : wait;
}
