/*
 * waitlist: waiting in fair order. See waitlist.h. Invariants: no lane is without a batch, no batch
 * without a recipient; a lane is among its list's `paused` exactly while its sender is paused.
 */
#include "queue/waitlist.h"

#include <stdlib.h>

#include "common/xalloc.h"

#define TURN 10 /* tenths */

void
waitlist_set_init(struct waitlist_set *s)
{
	hash_init(&s->senders);
	hash_init(&s->lanes);
	hash_init(&s->batches);
	TAILQ_INIT(&s->sweeping);
}

static struct span
key_of(const void *key)
{
	return span_make(key, 2 * sizeof(void *));
}

static struct batch_list *
batches_of(const struct batch *b)
{
	return &b->lane->batches[b->retry];
}

/* The first of a lane, and the one after another, as a sweep goes over them: not their order of turns. */
static struct batch *
first_batch(struct lane *lane)
{
	struct batch *b = TAILQ_FIRST(&lane->batches[false]);

	return b != NULL ? b : TAILQ_FIRST(&lane->batches[true]);
}

static struct batch *
next_batch(struct batch *b)
{
	struct batch *next = TAILQ_NEXT(b, turn);

	return next != NULL || b->retry ? next : TAILQ_FIRST(&b->lane->batches[true]);
}

static void
free_lane(struct lane *lane)
{
	struct batch *b;

	while ((b = first_batch(lane)) != NULL) {
		TAILQ_REMOVE(batches_of(b), b, turn);
		free(b);
	}
	free(lane);
}

void
waitlist_set_release(struct waitlist_set *s)
{
	struct sender *sender;
	struct lane *lane;
	size_t at = 0;

	while ((lane = hash_next(&s->lanes, &at)) != NULL)
		free_lane(lane);
	at = 0;
	while ((sender = hash_next(&s->senders, &at)) != NULL) {
		free(sender->domain);
		free(sender);
	}
	hash_release(&s->batches);
	hash_release(&s->lanes);
	hash_release(&s->senders);
}

void
waitlist_init(struct waitlist *l, struct destination *d)
{
	*l = (struct waitlist){.destination = d};
	TAILQ_INIT(&l->ready);
	TAILQ_INIT(&l->paused);
}

struct span
waitlist_domain_of(const char *from)
{
	struct span s = span_str(from);
	ptrdiff_t at = span_rindex(s, '@');

	return at >= 0 ? span_skip(s, (size_t)at + 1) : span_first(s, 0);
}

static bool
lane_stopped(const struct lane *lane)
{
	return lane->key.list->stopped || lane->key.sender->paused;
}

static struct lane_list *
list_of(const struct lane *lane)
{
	return lane->key.sender->paused ? &lane->key.list->paused : &lane->key.list->ready;
}

/* --- coming --- */

static struct sender *
obtain_sender(struct waitlist_set *s, struct span domain)
{
	struct sender *sender = hash_find(&s->senders, domain);

	if (sender != NULL)
		return sender;
	sender = xcalloc(1, sizeof *sender);
	sender->domain = xspandup(domain);
	TAILQ_INIT(&sender->lanes);
	(void)hash_insert(&s->senders, span_str(sender->domain), sender);
	return sender;
}

static struct lane *
obtain_lane(struct waitlist_set *s, struct waitlist *l, const char *from)
{
	struct lane *lane, like = {.key = {l, obtain_sender(s, waitlist_domain_of(from))}};

	lane = hash_find(&s->lanes, key_of(&like.key));
	if (lane != NULL)
		return lane;
	lane = xcalloc(1, sizeof *lane);
	lane->key.list = l;
	lane->key.sender = like.key.sender;
	TAILQ_INIT(&lane->batches[false]);
	TAILQ_INIT(&lane->batches[true]);
	TAILQ_INSERT_TAIL(list_of(lane), lane, turn);
	TAILQ_INSERT_TAIL(&lane->key.sender->lanes, lane, same);
	(void)hash_insert(&s->lanes, key_of(&lane->key), lane);
	return lane;
}

/* A message with one recipient has one batch at most: nothing to look for. */
static struct batch *
obtain_batch(struct waitlist_set *s, struct waitlist *l, const struct recipient *r)
{
	struct message *m = r->message;
	struct batch *b, like = {.key = {l, m}};
	bool shared = m->nrecipients > 1;

	b = shared ? hash_find(&s->batches, key_of(&like.key)) : NULL;
	if (b != NULL)
		return b;
	b = xcalloc(1, sizeof *b);
	b->key.list = l;
	b->key.message = m;
	b->lane = obtain_lane(s, l, m->from);
	b->shared = shared;
	b->retry = r->attempts > 0;
	TAILQ_INIT(&b->recipients);
	TAILQ_INSERT_TAIL(batches_of(b), b, turn);
	if (shared)
		(void)hash_insert(&s->batches, key_of(&b->key), b);
	return b;
}

void
waitlist_add(
    struct waitlist_set *s, struct waitlist *l, struct recipient *r, enum recipient_state state)
{
	struct batch *b = obtain_batch(s, l, r);
	struct lane *lane = b->lane;

	TAILQ_INSERT_TAIL(&b->recipients, r, link);
	r->batch = b;
	b->n++;
	lane->n++;
	l->n++;
	l->nready += lane->key.sender->paused ? 0 : 1;
	recipient_set_state(r, lane_stopped(lane) ? RECIPIENT_PARKED : state);
}

/* --- going --- */

static void
end_sweep(struct waitlist_set *s, struct lane *lane)
{
	if (lane->swept)
		TAILQ_REMOVE(&s->sweeping, lane, sweep);
	lane->swept = false;
	lane->cursor = NULL;
}

static void
drop_sender_if_idle(struct waitlist_set *s, struct sender *sender)
{
	if (!TAILQ_EMPTY(&sender->lanes) || sender->paused)
		return;
	(void)hash_remove(&s->senders, span_str(sender->domain));
	free(sender->domain);
	free(sender);
}

static void
drop_lane(struct waitlist_set *s, struct lane *lane)
{
	struct sender *sender = lane->key.sender;

	end_sweep(s, lane);
	TAILQ_REMOVE(list_of(lane), lane, turn);
	TAILQ_REMOVE(&sender->lanes, lane, same);
	(void)hash_remove(&s->lanes, key_of(&lane->key));
	free(lane);
	drop_sender_if_idle(s, sender);
}

static void
drop_batch(struct waitlist_set *s, struct batch *b)
{
	struct lane *lane = b->lane;

	if (lane->cursor == b)
		lane->cursor = next_batch(b);
	TAILQ_REMOVE(batches_of(b), b, turn);
	if (b->shared)
		(void)hash_remove(&s->batches, key_of(&b->key));
	free(b);
	if (lane->n == 0)
		drop_lane(s, lane);
}

void
waitlist_remove(struct waitlist_set *s, struct recipient *r)
{
	struct batch *b = r->batch;
	struct lane *lane = b->lane;

	TAILQ_REMOVE(&b->recipients, r, link);
	r->batch = NULL;
	b->n--;
	lane->n--;
	lane->key.list->n--;
	lane->key.list->nready -= lane->key.sender->paused ? 0 : 1;
	if (b->n == 0)
		drop_batch(s, b);
}

static void
to_end(struct lane_list *list, struct lane *lane)
{
	TAILQ_REMOVE(list, lane, turn);
	TAILQ_INSERT_TAIL(list, lane, turn);
}

/* The lane whose turn it is: each that owes a turn pays it and lets the next one go first. */
static struct lane *
next_lane(struct waitlist *l)
{
	struct lane *lane;

	while ((lane = TAILQ_FIRST(&l->ready)) != NULL && lane->debt >= TURN) {
		lane->debt -= TURN;
		to_end(&l->ready, lane);
	}
	return lane;
}

/* The message of a lane whose turn it is. */
static struct batch *
turn_of(const struct lane *lane)
{
	struct batch *b = TAILQ_FIRST(&lane->batches[lane->retries]);

	return b != NULL ? b : TAILQ_FIRST(&lane->batches[!lane->retries]);
}

static uint32_t
cost_of(const struct waitlist *l, const struct message *m, size_t n)
{
	return l->destination == NULL
		   ? TURN
		   : TURN + (uint32_t)n + (uint32_t)(m->content_len >> 20) * TURN;
}

/* After its turn: to the end of its list, if anything is left of it. */
static void
rotate(struct lane *lane, struct batch *b, uint32_t cost, bool rest_of_batch)
{
	if (rest_of_batch) {
		if (lane->cursor == b)
			lane->cursor = next_batch(b);
		TAILQ_REMOVE(batches_of(b), b, turn);
		TAILQ_INSERT_TAIL(batches_of(b), b, turn);
	}
	lane->retries = !b->retry;
	lane->debt += cost - TURN;
	to_end(list_of(lane), lane);
}

size_t
waitlist_take(struct waitlist_set *s, struct waitlist *l, struct recipient **out, size_t max,
    uint32_t *cost)
{
	struct lane *lane = next_lane(l);
	struct recipient *r, *next;
	struct batch *b;
	size_t n;

	if (lane == NULL || max == 0)
		return 0;
	b = turn_of(lane);
	n = b->n < max ? b->n : max;
	*cost = cost_of(l, b->key.message, n);
	if (lane->n > n)
		rotate(lane, b, *cost, b->n > n);
	r = TAILQ_FIRST(&b->recipients);
	for (size_t i = 0; i < n; i++, r = next) {
		next = TAILQ_NEXT(r, link);
		out[i] = r;
		waitlist_remove(s, r);
	}
	return n;
}

void
waitlist_promote(struct recipient *r)
{
	struct batch *b = r->batch;
	struct lane *lane = b->lane;

	TAILQ_REMOVE(&b->recipients, r, link);
	TAILQ_INSERT_HEAD(&b->recipients, r, link);
	if (lane->cursor == b)
		lane->cursor = next_batch(b);
	TAILQ_REMOVE(batches_of(b), b, turn);
	TAILQ_INSERT_HEAD(batches_of(b), b, turn);
	lane->retries = b->retry;
	TAILQ_REMOVE(list_of(lane), lane, turn);
	TAILQ_INSERT_HEAD(list_of(lane), lane, turn);
	lane->debt = 0;
}

struct waitlist *
waitlist_of(const struct recipient *r)
{
	return r->batch->lane->key.list;
}

const struct sender *
waitlist_sender(const struct recipient *r)
{
	return r->batch->lane->key.sender;
}

/* --- stopping --- */

static void
begin_sweep(struct waitlist_set *s, struct lane *lane)
{
	end_sweep(s, lane);
	lane->cursor = first_batch(lane);
	lane->swept = true;
	TAILQ_INSERT_TAIL(&s->sweeping, lane, sweep);
}

void
waitlist_sweep_begin(struct waitlist_set *s, struct waitlist *l)
{
	struct lane *lane;

	TAILQ_FOREACH (lane, &l->ready, turn)
		if (lane_stopped(lane))
			begin_sweep(s, lane);
	TAILQ_FOREACH (lane, &l->paused, turn)
		begin_sweep(s, lane);
}

void
waitlist_set_stopped(struct waitlist_set *s, struct waitlist *l, bool stopped)
{
	if (l->stopped == stopped)
		return;
	l->stopped = stopped;
	if (stopped)
		waitlist_sweep_begin(s, l);
}

static void
set_paused(struct sender *sender, bool paused)
{
	struct lane *lane;

	TAILQ_FOREACH (lane, &sender->lanes, same) {
		struct waitlist *l = lane->key.list;

		TAILQ_REMOVE(list_of(lane), lane, turn);
		TAILQ_INSERT_TAIL(paused ? &l->paused : &l->ready, lane, turn);
		l->nready = paused ? l->nready - lane->n : l->nready + lane->n;
	}
	sender->paused = paused;
}

const struct sender *
waitlist_pause_sender(struct waitlist_set *s, struct span domain)
{
	struct sender *sender = obtain_sender(s, domain);
	struct lane *lane;

	if (!sender->paused) {
		set_paused(sender, true);
		TAILQ_FOREACH (lane, &sender->lanes, same)
			begin_sweep(s, lane);
	}
	return sender;
}

const struct sender *
waitlist_continue_sender(struct waitlist_set *s, struct span domain)
{
	struct sender *sender = hash_find(&s->senders, domain);

	if (sender == NULL || !sender->paused)
		return NULL;
	set_paused(sender, false);
	if (!TAILQ_EMPTY(&sender->lanes))
		return sender;
	drop_sender_if_idle(s, sender);
	return NULL;
}

static void
visit_batch(struct batch *b, void (*visit)(struct recipient *r, void *arg), void *arg)
{
	struct recipient *r = TAILQ_FIRST(&b->recipients), *next;

	/* Counted, for with the last recipient the batch may be gone. */
	for (uint32_t n = b->n; n > 0; n--, r = next) {
		next = TAILQ_NEXT(r, link);
		if (r->state != RECIPIENT_PARKED)
			recipient_set_state(r, RECIPIENT_PARKED);
		visit(r, arg);
	}
}

bool
waitlist_sweep(struct waitlist_set *s, unsigned budget,
    void (*visit)(struct recipient *r, void *arg), void *arg)
{
	struct lane *lane;

	while (budget > 0 && (lane = TAILQ_FIRST(&s->sweeping)) != NULL) {
		struct batch *b = lane->cursor;

		if (b == NULL || !lane_stopped(lane)) {
			end_sweep(s, lane);
			continue;
		}
		lane->cursor = next_batch(b);
		budget -= b->n < budget ? b->n : budget;
		visit_batch(b, visit, arg);
	}
	return !TAILQ_EMPTY(&s->sweeping);
}
