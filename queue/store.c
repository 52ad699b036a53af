/*
 * store: the durable side of the queue. See store.h; doc/SPOOL.md has the states
 * a crash can leave and what recovery (store_recover.c) makes of each.
 */
#include "queue/store.h"

#include <stdlib.h>

#include "common/xalloc.h"
#include "queue/journal.h"
#include "queue/store_parts.h"
#include "queue/store_record.h"
#include "queue/store_wishes.h"

/* Octets of the journal that may wait to be written before deliveries stop. */
#define BACKLOG_MAX	      (16U << 20)
#define BACKLOG_UNHEALTHY_MAX (1U << 20)

static void
on_journal_durable(uint64_t position, void *arg)
{
	struct store *s = arg;

	segment_pool_on_durable(s->pool, position);
	if (s->journal != NULL && s->stopped && store_may_dispatch(s) &&
	    s->ops->on_may_dispatch != NULL)
		s->ops->on_may_dispatch(s->arg);
}

static void
say_space(struct store *s)
{
	bool room;

	if (s->journal == NULL) /* writing its last, in store_close: nobody is to hear of it */
		return;
	room = store_has_room(s);
	if (room != s->said_room) {
		s->said_room = room;
		s->ops->on_space(room, s->arg);
	}
}

static void
on_journal_health(bool healthy, void *arg)
{
	(void)healthy;
	say_space(arg);
}

static void
on_checkpoint(struct journal *j, void *arg)
{
	struct store *s = arg;
	struct message *m;
	size_t at = 0;

	if (segment_pool_flush_removals(s->pool) != 0)
		journal_checkpoint_fail(j);
	record_checkpoint_generation(j, segment_pool_generation(s->pool));
	record_checkpoint_pauses(j, &s->pauses);
	for (struct spool_segment *g = NULL; (g = segment_pool_next(s->pool, g)) != NULL;)
		record_checkpoint_segment(j, g);
	while ((m = message_map_next(&s->messages, &at)) != NULL)
		if (m->unsettled > 0)
			record_checkpoint_message(j, m);
}

static size_t
on_forked(int fds[JOURNAL_FORKED_MAX], void *arg)
{
	segment_pool_directories(((struct store *)arg)->pool, fds);
	return 2;
}

const struct journal_ops store_journal_ops = {.on_durable = on_journal_durable,
    .on_health = on_journal_health,
    .on_checkpoint = on_checkpoint,
    .on_forked = on_forked};

static void
on_pool_ready(void *arg)
{
	struct store *s = arg;

	s->ops->on_ready(s->arg);
}

static void
on_pool_space(bool room, void *arg)
{
	(void)room;
	say_space(arg);
}

static uint64_t
on_pool_generation(uint64_t number, uint64_t generation, bool own, void *arg)
{
	struct store *s = arg;
	uint64_t position = record_generation(s->journal, generation);

	return own ? record_own(s->journal, number, generation) : position;
}

const struct segment_pool_ops store_pool_ops = {
    .on_ready = on_pool_ready, .on_space = on_pool_space, .on_generation = on_pool_generation};

void
store_flush(struct store *s)
{
	journal_flush_wait(s->journal);
}

uint64_t
store_position(const struct store *s)
{
	return journal_position(s->journal);
}

bool
store_is_durable(const struct store *s, uint64_t position)
{
	return journal_durable(s->journal) >= position;
}

struct segment_pool *
store_pool(struct store *s)
{
	return s->pool;
}

uint64_t
store_instance(const struct store *s)
{
	return s->instance;
}

bool
store_has_room(const struct store *s)
{
	return segment_pool_has_room(s->pool) && journal_healthy(s->journal);
}

bool
store_may_dispatch(struct store *s)
{
	s->stopped = journal_backlog(s->journal) >=
		     (journal_healthy(s->journal) ? BACKLOG_MAX : BACKLOG_UNHEALTHY_MAX);
	return !s->stopped;
}

const struct store_counts *
store_counts(const struct store *s)
{
	return &s->counts;
}

struct message *
store_find(const struct store *s, uint64_t number)
{
	struct message *m = message_map_find(&s->messages, number);

	return m != NULL && m->unsettled > 0 ? m : NULL;
}

struct message *
store_next(const struct store *s, size_t *at)
{
	struct message *m;

	do {
		m = message_map_next(&s->messages, at);
	} while (m != NULL && m->unsettled == 0);
	return m;
}

/* Messages without unsettled recipients, freed at the end of the turn. */
void
store_reap(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;

	(void)fd, (void)what;
	for (size_t i = 0; i < s->ndone; i++) {
		struct message *m = s->done[i];

		s->ops->on_gone(m, s->arg);
		(void)message_map_remove(&s->messages, m->number);
		segment_pool_less(m->segment, message_extent(m), journal_position(s->journal));
		s->counts.messages--;
		s->counts.recipients -= m->nrecipients;
		message_free(&m);
	}
	s->ndone = 0;
	/* What became unneeded by records that are durable already has no flush to wait for. */
	if (journal_durable(s->journal) == journal_position(s->journal))
		segment_pool_on_durable(s->pool, journal_durable(s->journal));
}

static void
settle(struct store *s, struct recipient *r)
{
	struct message *m = r->message;

	recipient_set_state(r, RECIPIENT_SETTLED);
	if (m->unsettled > 0)
		return;
	if (s->ndone == s->done_cap) {
		s->done_cap = s->done_cap > 0 ? s->done_cap * 2 : 64;
		s->done = xreallocarray(s->done, s->done_cap, sizeof(*s->done));
	}
	s->done[s->ndone++] = m;
	event_active(s->reaper, 0, 0);
}

void
store_deliver(struct store *s, struct recipient *r, const struct verdict *v)
{
	recipient_set_reason(r, v);
	(void)record_delivered(s->journal, r);
	s->counts.delivered++;
	settle(s, r);
}

void
store_defer(struct store *s, struct recipient *r, const struct verdict *v, int64_t next)
{
	recipient_set_reason(r, v);
	recipient_set_state(r, r->held ? RECIPIENT_HELD : RECIPIENT_DEFERRED);
	r->next = next;
	(void)record_deferred(s->journal, r);
	s->counts.deferred++;
}

void
store_fail(struct store *s, struct recipient *r, const struct verdict *v)
{
	recipient_set_reason(r, v);
	recipient_set_state(r, RECIPIENT_FAILED);
	r->message->report->outcome_at = record_failed(s->journal, r);
	s->counts.failed++;
}

void
store_succeed(
    struct store *s, struct recipient *r, enum recipient_action action, const struct verdict *v)
{
	recipient_set_reason(r, v);
	r->action = (uint8_t)action & 3;
	recipient_set_state(r, RECIPIENT_TELL);
	r->message->report->outcome_at = record_succeeded(s->journal, r);
	s->counts.delivered++;
}

void
store_remove(struct store *s, struct recipient *r)
{
	(void)record_removed(s->journal, r);
	settle(s, r);
}

uint32_t
store_expand(
    struct store *s, struct recipient *r, const struct message_target *targets, size_t n)
{
	uint32_t first = message_expand(r->message, r->entry, targets, n);
	bool held = r->held;
	uint64_t position;

	s->counts.recipients += n;
	position = record_expanded(s->journal, r, first);
	if (recipient_tells_expansion(r, n)) {
		r->action = RECIPIENT_EXPANDED;
		recipient_set_state(r, RECIPIENT_TELL);
		r->message->report->outcome_at = position;
	} else {
		settle(s, r);
	}
	for (size_t i = 0; held && i < n; i++)
		(void)store_hold(s, message_recipient(r->message, first + (uint32_t)i));
	return first;
}

bool
store_may_tell(const struct store *s, const struct message *m)
{
	return m->report == NULL || m->report->outcome_at <= journal_durable(s->journal);
}

void
store_told(struct store *s, struct message *m, const uint32_t *entries, size_t n)
{
	(void)record_told(s->journal, m, entries, n);
	if (m->report != NULL)
		m->report->bouncing = false;
	for (size_t i = 0; i < n; i++) {
		struct recipient *r = message_recipient(m, entries[i]);

		if (r != NULL && (r->state == RECIPIENT_FAILED || r->state == RECIPIENT_TELL))
			settle(s, r);
	}
	message_trim_report(m);
}

void
store_warned(struct store *s, struct message *m, const uint32_t *entries, size_t n)
{
	(void)record_warned(s->journal, m, entries, n);
	if (m->report != NULL)
		m->report->bouncing = false;
	for (size_t i = 0; i < n; i++) {
		struct recipient *r = message_recipient(m, entries[i]);

		if (r != NULL)
			r->warned = true;
	}
	message_trim_report(m);
}
