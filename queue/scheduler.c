/* scheduler: what is tried when. See scheduler.h. */
#include "queue/scheduler.h"

#include <stdlib.h>

#include "common/buf.h"
#include "common/hash.h"
#include "common/limits.h"
#include "common/xalloc.h"

struct scheduler {
	struct heap deferred;
	struct recipient_list due;
	size_t ndue;
	struct hash destinations; /* "l" or "r" and the name */
	TAILQ_HEAD(turn_list, destination) turns[AGENT_KINDS];
	uint32_t concurrency[AGENT_KINDS];
};

struct scheduler *
scheduler_new(const uint32_t concurrency[AGENT_KINDS])
{
	struct scheduler *s = xcalloc(1, sizeof *s);

	heap_init(&s->deferred);
	TAILQ_INIT(&s->due);
	hash_init(&s->destinations);
	for (int k = 0; k < AGENT_KINDS; k++)
		TAILQ_INIT(&s->turns[k]);
	scheduler_set_concurrency(s, concurrency);
	return s;
}

void
scheduler_set_concurrency(struct scheduler *s, const uint32_t concurrency[AGENT_KINDS])
{
	for (int k = 0; k < AGENT_KINDS; k++)
		s->concurrency[k] = concurrency[k];
}

static struct span
key_of(const struct destination *d)
{
	return span_str(d->name);
}

static void
destination_free(struct destination *d)
{
	free(d->name);
	free(d);
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
	while ((d = hash_next(&s->destinations, &at)) != NULL)
		destination_free(d);
	hash_release(&s->destinations);
	heap_release(&s->deferred);
	free(s);
}

void
scheduler_add_due(struct scheduler *s, struct recipient *r)
{
	TAILQ_INSERT_TAIL(&s->due, r, link);
	s->ndue++;
}

static void
leave_due(struct scheduler *s, struct recipient *r)
{
	TAILQ_REMOVE(&s->due, r, link);
	s->ndue--;
}

struct recipient *
scheduler_next_due(struct scheduler *s)
{
	struct recipient *r = TAILQ_FIRST(&s->due);

	if (r != NULL) {
		leave_due(s, r);
		recipient_set_state(r, RECIPIENT_RESOLVING);
	}
	return r;
}

void
scheduler_add_deferred(struct scheduler *s, struct recipient *r, uint64_t at_ms)
{
	heap_add(&s->deferred, &r->due, at_ms);
}

uint64_t
scheduler_tick(struct scheduler *s, uint64_t now_ms)
{
	struct heap_item *first;

	while ((first = heap_first(&s->deferred)) != NULL && first->key <= now_ms) {
		struct recipient *r = HEAP_OBJECT(first, struct recipient, due);

		heap_remove(&s->deferred, first);
		recipient_set_state(r, RECIPIENT_DUE);
		scheduler_add_due(s, r);
	}
	return first != NULL ? first->key - now_ms : UINT64_MAX;
}

/* On the ring of those that may send exactly while it has both something to send and a free place. */
static void
update_turn(struct scheduler *s, struct destination *d)
{
	bool may = d->nwaiting > 0 && d->active < s->concurrency[d->kind];

	if (may == d->on_turn)
		return;
	if (may)
		TAILQ_INSERT_TAIL(&s->turns[d->kind], d, turn);
	else
		TAILQ_REMOVE(&s->turns[d->kind], d, turn);
	d->on_turn = may;
}

static void
free_if_idle(struct scheduler *s, struct destination *d)
{
	if (d->nwaiting > 0 || d->active > 0)
		return;
	update_turn(s, d);
	(void)hash_remove(&s->destinations, key_of(d));
	destination_free(d);
}

static struct destination *
obtain_destination(struct scheduler *s, enum agent_kind kind, struct span name)
{
	struct destination *d;
	struct buf key;

	buf_init(&key, ADDRESS_MAX * 4);
	buf_add_char(&key, kind == AGENT_LOCAL ? 'l' : 'r');
	buf_add_span(&key, span_first(name, ADDRESS_MAX * 2));
	d = hash_find(&s->destinations, buf_span(&key));
	if (d == NULL) {
		d = xcalloc(1, sizeof *d);
		d->scheduler = s;
		d->kind = kind;
		d->name = buf_take(&key);
		TAILQ_INIT(&d->waiting);
		(void)hash_insert(&s->destinations, key_of(d), d);
	}
	buf_release(&key);
	return d;
}

void
scheduler_add_waiting(
    struct scheduler *s, struct recipient *r, enum agent_kind kind, struct span destination)
{
	struct destination *d = obtain_destination(s, kind, destination);

	recipient_set_state(r, RECIPIENT_WAITING);
	r->destination = d;
	TAILQ_INSERT_TAIL(&d->waiting, r, link);
	d->nwaiting++;
	update_turn(s, d);
}

static void
leave_waiting(struct destination *d, struct recipient *r)
{
	TAILQ_REMOVE(&d->waiting, r, link);
	d->nwaiting--;
}

size_t
scheduler_next_job(
    struct scheduler *s, enum agent_kind kind, struct recipient **out, size_t max)
{
	struct destination *d = TAILQ_FIRST(&s->turns[kind]);
	struct recipient *r, *next;
	struct message *m;
	size_t n = 0;

	if (d == NULL || max == 0)
		return 0;
	m = TAILQ_FIRST(&d->waiting)->message;
	for (r = TAILQ_FIRST(&d->waiting); r != NULL && r->message == m && n < max; r = next) {
		next = TAILQ_NEXT(r, link);
		leave_waiting(d, r);
		recipient_set_state(r, RECIPIENT_ACTIVE);
		out[n++] = r;
	}
	d->active++;
	/* To the end of the ring: the others come first now. */
	TAILQ_REMOVE(&s->turns[kind], d, turn);
	d->on_turn = false;
	update_turn(s, d);
	return n;
}

void
scheduler_end_job(struct scheduler *s, struct destination *d)
{
	d->active--;
	update_turn(s, d);
	free_if_idle(s, d);
}

void
scheduler_forget(struct scheduler *s, struct recipient *r)
{
	struct destination *d = r->destination;

	switch ((enum recipient_state)r->state) {
	case RECIPIENT_DUE:
		leave_due(s, r);
		break;
	case RECIPIENT_WAITING:
		leave_waiting(d, r);
		update_turn(s, d);
		free_if_idle(s, d);
		break;
	case RECIPIENT_DEFERRED:
		heap_remove(&s->deferred, &r->due);
		break;
	case RECIPIENT_RESOLVING:
	case RECIPIENT_ACTIVE:
	case RECIPIENT_HELD:
	case RECIPIENT_FAILED:
	case RECIPIENT_TELL:
	case RECIPIENT_SETTLED:
		break;
	}
}

struct destination *
scheduler_next_destination(const struct scheduler *s, size_t *at)
{
	return hash_next(&s->destinations, at);
}

size_t
scheduler_count_due(const struct scheduler *s)
{
	return s->ndue;
}

size_t
scheduler_count_deferred(const struct scheduler *s)
{
	return heap_count(&s->deferred);
}

uint64_t
scheduler_interval(const uint64_t *schedule, size_t n, unsigned attempts, uint32_t random)
{
	size_t i = attempts > 0 ? attempts - 1 : 0;
	uint64_t base = schedule[i < n ? i : n - 1];
	uint64_t span = base / 5 + 1;

	return base - base / 10 + random % span;
}
