/*
 * scheduler: what is tried when. See scheduler.h. Invariant: a destination is on its
 * agent's ring exactly while destination_may_send says so, and in the heap of those
 * that wake later exactly while only time is missing; every change ends in scheduler_update.
 */
#include "queue/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "queue/scheduler_parts.h"

#define TURN	   10 /* tenths, as the costs of queue/waitlist */
#define TICK_MOVES 500
#define SWEEP_STEP 1000
#define SWEEP_MS   600000 /* between two looks at what is parked */
#define IDLE_MAX   10000  /* destinations without mail whose state is remembered */

struct scheduler *
scheduler_new(const struct config *config, uint64_t now_ms)
{
	struct scheduler *s = xcalloc(1, sizeof *s);

	s->config = config;
	s->now = now_ms;
	s->sweep_at = now_ms + SWEEP_MS;
	heap_init(&s->deferred);
	heap_init(&s->wakes);
	waitlist_set_init(&s->lists);
	waitlist_init(&s->due, NULL);
	hash_init(&s->destinations);
	pauses_init(&s->pauses);
	TAILQ_INIT(&s->returning);
	for (int k = 0; k < AGENT_KINDS; k++)
		for (int i = 0; i < SCHEDULER_LEVELS; i++)
			TAILQ_INIT(&s->turns[k][i]);
	TAILQ_INIT(&s->idle);
	return s;
}

void
scheduler_free(struct scheduler **sp)
{
	struct scheduler *s = *sp;
	struct destination *d;
	size_t at = 0;

	if (s == NULL)
		return;
	*sp = NULL;
	waitlist_set_release(&s->lists);
	while ((d = hash_next(&s->destinations, &at)) != NULL)
		destination_free(&d);
	hash_release(&s->destinations);
	pauses_release(&s->pauses);
	heap_release(&s->deferred);
	heap_release(&s->wakes);
	free(s);
}

/* --- destinations --- */

/* Mail of a paused domain that is paused no longer goes back to be resolved. */
static void
update_returning(struct scheduler *s, struct destination *d)
{
	bool go = d->detour && !d->paused && d->waiting.nready > 0;

	if (go == d->returning)
		return;
	if (go)
		TAILQ_INSERT_TAIL(&s->returning, d, turn);
	else
		TAILQ_REMOVE(&s->returning, d, turn);
	d->returning = go;
}

static uint8_t
level_of(const struct destination *d)
{
	uint8_t level = 0;

	for (uint32_t n = d->active + 1; n > 1 && level < SCHEDULER_LEVELS - 1; n /= 2)
		level++;
	return level;
}

static void
leave_ring(struct scheduler *s, struct destination *d)
{
	if (d->on_turn)
		TAILQ_REMOVE(&s->turns[d->kind][d->level], d, turn);
	d->on_turn = false;
}

static void
update_turn(struct scheduler *s, struct destination *d)
{
	bool may = destination_may_send(d, s->now);

	if (may && d->on_turn && d->level == level_of(d))
		return;
	leave_ring(s, d);
	if (!may)
		return;
	d->level = level_of(d);
	d->on_turn = true;
	TAILQ_INSERT_TAIL(&s->turns[d->kind][d->level], d, turn);
}

static void
update_wake(struct scheduler *s, struct destination *d)
{
	uint64_t at = d->on_turn ? UINT64_MAX : destination_wake_at(d, s->now);

	if (heap_contains(&d->wake) && d->wake.key == at)
		return;
	if (heap_contains(&d->wake))
		heap_remove(&s->wakes, &d->wake);
	if (at != UINT64_MAX)
		heap_add(&s->wakes, &d->wake, at);
}

static void
drop_destination(struct scheduler *s, struct destination *d)
{
	TAILQ_REMOVE(&s->idle, d, idle);
	s->nidle--;
	(void)hash_remove(&s->destinations, span_str(d->key));
	destination_free(&d);
}

/* Without mail it is remembered for a while: window, rate, and above all that it is dead. */
static void
update_idle(struct scheduler *s, struct destination *d)
{
	bool idle = d->waiting.n == 0 && d->active == 0;

	if (idle == d->is_idle)
		return;
	d->is_idle = idle;
	if (!idle) {
		TAILQ_REMOVE(&s->idle, d, idle);
		s->nidle--;
		return;
	}
	d->debt = 0;
	TAILQ_INSERT_TAIL(&s->idle, d, idle);
	if (++s->nidle > IDLE_MAX)
		drop_destination(s, TAILQ_FIRST(&s->idle));
}

void
scheduler_update(struct scheduler *s, struct destination *d)
{
	waitlist_set_stopped(&s->lists, &d->waiting, d->paused || d->dead);
	update_returning(s, d);
	update_turn(s, d);
	update_wake(s, d);
	update_idle(s, d);
}

struct destination *
scheduler_find_destination(
    const struct scheduler *s, enum agent_kind kind, struct span name, bool detour)
{
	char key[1 + DESTINATION_NAME_MAX];

	name = span_first(name, DESTINATION_NAME_MAX);
	key[0] = destination_key(kind, detour);
	memcpy(key + 1, name.p, name.len);
	return hash_find(&s->destinations, span_make(key, 1 + name.len));
}

static struct destination *
obtain_destination(struct scheduler *s, enum agent_kind kind, struct span name, bool detour)
{
	struct destination *d = scheduler_find_destination(s, kind, name, detour);

	if (d != NULL)
		return d;
	d = destination_new(kind, name, detour, s->config, s->now);
	d->paused = pauses_has(&s->pauses, PAUSE_DESTINATION, span_str(d->name));
	waitlist_set_stopped(&s->lists, &d->waiting, d->paused);
	(void)hash_insert(&s->destinations, span_str(d->key), d);
	return d;
}

void
scheduler_set_config(struct scheduler *s, const struct config *config)
{
	struct destination *d;
	size_t at = 0;

	s->config = config;
	while ((d = hash_next(&s->destinations, &at)) != NULL) {
		destination_configure(d, config, s->now);
		update_turn(s, d);
		update_wake(s, d);
	}
}

struct destination *
scheduler_next_destination(const struct scheduler *s, size_t *at)
{
	struct destination *d;

	do {
		d = hash_next(&s->destinations, at);
	} while (d != NULL && d->is_idle && !d->dead);
	return d;
}

/* --- time --- */

/* In slices, as those that become due. */
static void
take_back(struct scheduler *s, struct destination *d)
{
	struct recipient *r;
	uint32_t cost;

	for (int n = 0; n < TICK_MOVES; n++) {
		if (waitlist_take(&s->lists, &d->waiting, &r, 1, &cost) == 0)
			break;
		scheduler_add_due(s, r);
	}
	scheduler_update(s, d);
}

void
scheduler_set_now(struct scheduler *s, uint64_t now_ms)
{
	s->now = now_ms;
}

void
scheduler_tick(struct scheduler *s, uint64_t now_ms)
{
	struct heap_item *first;

	s->now = now_ms;
	if (!TAILQ_EMPTY(&s->returning))
		take_back(s, TAILQ_FIRST(&s->returning));
	while ((first = heap_first(&s->wakes)) != NULL && first->key <= now_ms)
		scheduler_update(s, HEAP_OBJECT(first, struct destination, wake));
	for (int n = 0; n < TICK_MOVES; n++) {
		first = heap_first(&s->deferred);
		if (first == NULL || first->key > now_ms)
			break;
		heap_remove(&s->deferred, first);
		scheduler_add_due(s, HEAP_OBJECT(first, struct recipient, due));
	}
}

uint64_t
scheduler_wait(const struct scheduler *s)
{
	const struct heap_item *first[] = {heap_first(&s->wakes), heap_first(&s->deferred)};
	uint64_t next = TAILQ_EMPTY(&s->returning) ? UINT64_MAX : 0;

	for (size_t i = 0; i < 2; i++)
		if (first[i] != NULL && first[i]->key < next)
			next = first[i]->key;
	if (next == UINT64_MAX)
		return next;
	return next > s->now ? next - s->now : 0;
}

/* --- recipients --- */

void
scheduler_add_due(struct scheduler *s, struct recipient *r)
{
	waitlist_add(&s->lists, &s->due, r, RECIPIENT_DUE);
}

struct recipient *
scheduler_next_due(struct scheduler *s)
{
	struct recipient *r;
	uint32_t cost;

	if (waitlist_take(&s->lists, &s->due, &r, 1, &cost) == 0)
		return NULL;
	recipient_set_state(r, RECIPIENT_RESOLVING);
	return r;
}

void
scheduler_add_deferred(struct scheduler *s, struct recipient *r, uint64_t in_ms)
{
	heap_add(&s->deferred, &r->due, s->now + in_ms);
}

/* Is mail for the recipient's domain paused, whatever the next hop? */
static bool
is_paused(const struct scheduler *s, const struct recipient *r)
{
	return hash_count(&s->pauses.names[PAUSE_DESTINATION]) > 0 &&
	       pauses_has(&s->pauses, PAUSE_DESTINATION, waitlist_domain_of(r->address));
}

void
scheduler_add_waiting(
    struct scheduler *s, struct recipient *r, enum agent_kind kind, struct span destination)
{
	struct span domain = waitlist_domain_of(r->address);
	bool detour = !span_eq(destination, domain) && is_paused(s, r);
	struct destination *d =
	    obtain_destination(s, kind, detour ? domain : destination, detour);

	waitlist_add(&s->lists, &d->waiting, r, RECIPIENT_WAITING);
	if (r->hurry) {
		r->hurry = false;
		scheduler_hurry(s, r);
	}
	scheduler_update(s, d);
}

/* As next_lane of queue/waitlist: who owes a turn pays it. */
static struct destination *
next_of_ring(struct destination_list *ring)
{
	struct destination *d;

	while ((d = TAILQ_FIRST(ring)) != NULL && d->debt >= TURN) {
		d->debt -= TURN;
		TAILQ_REMOVE(ring, d, turn);
		TAILQ_INSERT_TAIL(ring, d, turn);
	}
	return d;
}

/*
 * Those with the fewest jobs under way first; and none gets more than a third of what is left of the
 * agents' places, but the first always one: so a few that hang never take all of them.
 */
static struct destination *
next_turn(struct scheduler *s, enum agent_kind kind, unsigned places)
{
	for (int i = 0; i < SCHEDULER_LEVELS && places > 0; i++) {
		struct destination *d = next_of_ring(&s->turns[kind][i]);

		if (d != NULL)
			return d->active == 0 || d->active < places / 3 ? d : NULL;
	}
	return NULL;
}

/* Those of a job whose domain has been paused since they came wait elsewhere. Returns how many are left. */
static size_t
divert(struct scheduler *s, struct destination *d, struct recipient **r, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (is_paused(s, r[i]))
			scheduler_add_waiting(s, r[i], d->kind, span_str(d->name));
		else
			r[kept++] = r[i];
	return kept;
}

size_t
scheduler_next_job(struct scheduler *s, enum agent_kind kind, unsigned places,
    struct recipient **out, size_t max)
{
	struct destination *d = next_turn(s, kind, places);
	uint32_t cost = 0;
	size_t n = 0;

	if (d == NULL || max == 0)
		return 0;
	while (n == 0 && d->waiting.nready > 0) {
		n = waitlist_take(&s->lists, &d->waiting, out, max, &cost);
		n = divert(s, d, out, n);
	}
	if (n == 0) {
		scheduler_update(s, d);
		return scheduler_next_job(s, kind, places, out, max);
	}
	for (size_t i = 0; i < n; i++) {
		out[i]->destination = d;
		recipient_set_state(out[i], RECIPIENT_ACTIVE);
	}
	d->debt += cost - TURN;
	destination_begin_job(d, s->now);
	leave_ring(s, d); /* to the end of it, or the next one: the others come first now */
	scheduler_update(s, d);
	return n;
}

enum destination_change
scheduler_end_job(struct scheduler *s, struct destination *d, enum job_end end,
    const struct verdict *why, uint32_t delivered)
{
	enum destination_change change = destination_end_job(d, end, why, s->now);

	if (delivered > 0)
		meter_add(&d->delivered, s->now, delivered);
	if (change == DESTINATION_PROBED)
		waitlist_sweep_begin(&s->lists, &d->waiting);
	scheduler_update(s, d);
	return change;
}

bool
scheduler_has(const struct recipient *r)
{
	return r->state == RECIPIENT_DUE || r->state == RECIPIENT_WAITING ||
	       r->state == RECIPIENT_PARKED || r->state == RECIPIENT_DEFERRED;
}

void
scheduler_forget(struct scheduler *s, struct recipient *r)
{
	struct destination *d;

	if (r->state == RECIPIENT_DEFERRED) {
		heap_remove(&s->deferred, &r->due);
		return;
	}
	d = waitlist_of(r)->destination;
	waitlist_remove(&s->lists, r);
	if (d != NULL)
		scheduler_update(s, d);
}

void
scheduler_hurry(struct scheduler *s, struct recipient *r)
{
	struct destination *d;

	if (r->state == RECIPIENT_DEFERRED) {
		heap_remove(&s->deferred, &r->due);
		r->hurry = true;
		scheduler_add_due(s, r);
		return;
	}
	waitlist_promote(r);
	d = waitlist_of(r)->destination;
	if (d != NULL) {
		destination_probe_now(d, s->now);
		scheduler_update(s, d);
	} else {
		r->hurry = true;
	}
}

bool
scheduler_sweep(struct scheduler *s, void (*visit)(struct recipient *r, void *arg), void *arg)
{
	struct destination *d;
	size_t at = 0;

	if (s->now >= s->sweep_at) {
		s->sweep_at = s->now + SWEEP_MS;
		waitlist_sweep_begin(&s->lists, &s->due);
		while ((d = scheduler_next_destination(s, &at)) != NULL)
			waitlist_sweep_begin(&s->lists, &d->waiting);
	}
	return waitlist_sweep(&s->lists, SWEEP_STEP, visit, arg);
}

/* --- for people --- */

struct destination *
scheduler_destination_of(const struct recipient *r)
{
	if (r->state == RECIPIENT_ACTIVE)
		return r->destination;
	if (r->state == RECIPIENT_WAITING || r->state == RECIPIENT_PARKED)
		return waitlist_of(r)->destination;
	return NULL;
}

size_t
scheduler_count_due(const struct scheduler *s)
{
	return s->due.n;
}

size_t
scheduler_count_deferred(const struct scheduler *s)
{
	return heap_count(&s->deferred);
}
