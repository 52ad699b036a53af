/*
 * store_recover: from what is on disk to the queue in memory, after an orderly
 * stop and after a crash alike:
 *
 *	1. every segment file is opened; who still writes to one is known by its lock
 *	2. checkpoint and journal rebuild messages and outcomes
 *	3. each segment is scanned past what those account for, all of it if part of the journal is lost
 *	4. a DSN found in the spool settles the failures it reports on
 *	5. a fresh checkpoint replaces the journals
 *
 * A message that cannot be read is set aside and reported; start is never
 * refused for it. Doing this twice, or half and then again, gives the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/quarantine.h"
#include "queue/spool_instance.h"
#include "queue/store_parts.h"
#include "queue/store_record.h"
#include "queue/store_replay.h"

#define ORPHAN_FIRST_MS 20
#define ORPHAN_POLL_SEC 1

static int
open_directory(int spoolfd, const char *name)
{
	int fd = openat(spoolfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		log_warn("spool: %s/", name);
	return fd;
}

/* A message in the map is counted, where it stands. */
static void
adopt_message(struct store *s, struct message *m)
{
	store_place(m, m->segment, m->offset);
	s->counts.messages++;
	s->counts.recipients += m->nrecipients;
}

/*
 * Messages whose segment is gone, and of which no copy was found either. They stay in the queue, in a segment that stands for the
 * missing one: it may come back, a file system that was not mounted, say; else their senders are told when their time
 * is over, or when an administrator has them given up. Only without the whole journal it is more likely that
 * they were delivered, and the journal lost that.
 */
static void
report_missing(struct store *s, const struct replay *rp)
{
	char id[SPOOL_ID_SIZE];
	struct message *m;
	size_t at = 0;

	while ((m = idmap_next(&s->missing, &at)) != NULL) {
		const struct replay_place *p = idmap_find(&rp->places, m->number);

		if (!s->searching && p != NULL)
			m->segment =
			    segment_pool_add_lost(s->pool, p->segment, p->generation, p->large);
		if (!s->searching)
			s->counts.damaged++;
		log_warnx("id=%s %s: its segment is gone from the spool",
		    spool_id_format(m->number, id),
		    m->segment != NULL ? "cannot be delivered now"
		    : s->searching     ? "is taken for settled"
				       : "is lost");
		if (m->segment == NULL) {
			message_free(&m);
			continue;
		}
		(void)message_map_insert(&s->messages, m);
		adopt_message(s, m);
	}
	idmap_release(&s->missing);
}

static void
scan_record(struct spool_segment *seg, uint64_t offset, const struct spool_record *r,
    struct span envelope, void *arg)
{
	uint64_t end = offset + spool_record_extent(r);
	struct store *s = arg;
	struct message *m;

	if (end > seg->accounted)
		seg->accounted = end;
	m = store_recover_place(s, seg, offset, r);
	if (m != NULL) {
		(void)message_map_insert(&s->messages, m);
		adopt_message(s, m);
	}
	/* Of a copy that the journal knows nothing of the message stands elsewhere, or was settled. */
	if (m != NULL || (r->kind == SPOOL_COPY && !s->searching) ||
	    idmap_find(&s->gone, r->message) != NULL)
		return;
	m = store_add_record(s, seg, offset, r, envelope);
	/* Should no checkpoint be written now: a later record would hide it. */
	if (m != NULL)
		(void)record_message(s->journal, m, end);
}

/*
 * What a living writer has not flushed yet may still come to nothing: its segment is
 * flushed here before what stands in it is believed.
 */
static void
scan_segment(struct store *s, struct spool_segment *seg)
{
	struct spool_scan_result result;
	bool orphan = seg->state == SEGMENT_ORPHAN;

	if (seg->complete)
		return;
	if (orphan && (seg->large || fdatasync(seg->fd) != 0))
		return;
	spool_segment_scan(
	    seg, s->instance, seg->accounted, seg->size, !orphan, scan_record, s, &result);
	if (orphan)
		return;
	store_report_damage(s, seg, &result);
	seg->complete = true;
}

/* A DSN in the spool is the proof that the ends (the delays) it names were told: these, and none that came later. */
static void
settle_told(struct store *s)
{
	struct message *m;
	size_t at = 0;

	while ((m = message_map_next(&s->messages, &at)) != NULL) {
		const struct message_report *p = m->report;
		struct message *of = message_bounce_of(m) != 0
					 ? message_map_find(&s->messages, p->bounce_of)
					 : NULL;

		for (uint32_t i = 0; of != NULL && i < p->ntold; i++) {
			struct recipient *r = message_recipient(of, p->told[i]);

			if (r != NULL && p->delayed)
				r->warned = true;
			else if (r != NULL &&
				 (r->state == RECIPIENT_FAILED || r->state == RECIPIENT_TELL))
				recipient_set_state(r, RECIPIENT_SETTLED);
		}
		if (of != NULL && p->delayed)
			(void)record_warned(s->journal, of, p->told, p->ntold);
		else if (of != NULL)
			(void)record_told(s->journal, of, p->told, p->ntold);
		if (of != NULL)
			message_trim_report(of);
	}
}

/* Messages picked out of a walk: to be taken out of the map, or told of in their order, when it is over. */
struct picked {
	struct message **v;
	size_t n, cap;
};

static void
pick(struct picked *p, struct message *m)
{
	if (p->n == p->cap) {
		p->cap = p->cap > 0 ? p->cap * 2 : 64;
		p->v = xreallocarray(p->v, p->cap, sizeof(*p->v));
	}
	p->v[p->n++] = m;
}

static int
by_number(const void *a, const void *b)
{
	const struct message *x = *(struct message *const *)a, *y = *(struct message *const *)b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* Messages without a segment are missing, the others adopted. */
static void
adopt_all(struct store *s)
{
	struct picked missing = {.n = 0};
	struct message *m;
	size_t at = 0;

	while ((m = message_map_next(&s->messages, &at)) != NULL) {
		if (m->segment != NULL)
			adopt_message(s, m);
		else
			pick(&missing, m);
	}
	for (size_t i = 0; i < missing.n; i++) {
		(void)message_map_remove(&s->messages, missing.v[i]->number);
		(void)idmap_insert(&s->missing, missing.v[i]->number, missing.v[i]);
	}
	free(missing.v);
}

static void
forget_settled(struct store *s, struct message *m)
{
	(void)message_map_remove(&s->messages, m->number);
	segment_pool_less(m->segment, message_extent(m), 0);
	s->counts.messages--;
	s->counts.recipients -= m->nrecipients;
	message_free(&m);
}

/*
 * Messages with nothing left to do take their leave; the others are told to the scheduler, those that are to be tried now in
 * the order in which they came.
 */
static void
announce(struct store *s)
{
	struct picked settled = {.n = 0}, busy = {.n = 0};
	struct message *m;
	size_t at = 0;

	while ((m = message_map_next(&s->messages, &at)) != NULL) {
		for (uint32_t k = 0; k < m->nrecipients; k++)
			message_recipient(m, k)->recovered = true;
		if (m->unsettled == 0)
			pick(&settled, m);
		else if (m->busy > 0)
			pick(&busy, m);
		else
			s->ops->on_message(m, true, s->arg);
	}
	if (busy.n > 0)
		qsort(busy.v, busy.n, sizeof(*busy.v), by_number);
	for (size_t i = 0; i < busy.n; i++)
		s->ops->on_message(busy.v[i], true, s->arg);
	for (size_t i = 0; i < settled.n; i++)
		forget_settled(s, settled.v[i]);
	free(busy.v);
	free(settled.v);
}

/* A writer we have not heard of since our start: when it is gone, its segment is taken in. */
static void
on_orphans(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;
	struct spool_segment *g = segment_pool_next(s->pool, NULL);
	bool any = false;

	(void)fd, (void)what;
	while (g != NULL) {
		if (g->state == SEGMENT_ORPHAN && !segment_pool_is_held(s->pool, g)) {
			store_intake_rest(s, g);
			g = segment_pool_next(s->pool, NULL); /* the list may have changed */
			continue;
		}
		any |= g->state == SEGMENT_ORPHAN;
		g = segment_pool_next(s->pool, g);
	}
	if (any)
		event_add(s->orphans, &(struct timeval){ORPHAN_POLL_SEC, 0});
}

void
store_poll_orphans(struct store *s)
{
	event_add(s->orphans, &(struct timeval){0, ORPHAN_FIRST_MS * 1000});
}

/* What the replay has rebuilt, and the numbers of what it says was settled. */
struct past {
	const struct message_map *alive;
	struct idmap *gone;
};

static void
note_gone(struct span record, void *arg)
{
	struct past *p = arg;
	uint64_t number;

	if (span_is(span_cut(&record, ' '), "M") &&
	    span_to_u64(span_cut(&record, ' '), UINT64_MAX, &number) == 0 &&
	    message_map_find(p->alive, number) == NULL)
		(void)idmap_insert(p->gone, number, p);
}

/*
 * Part of the journal is missing: what is left of it says nothing about where in a segment the unknown begins, so
 * all of it is unknown. But a message that was known once and is not in the queue now was settled.
 */
static void
search_everything(struct store *s)
{
	struct past p = {&s->messages, &s->gone};

	log_warnx("spool: the journal is not whole, every segment is searched");
	for (struct spool_segment *g = NULL; (g = segment_pool_next(s->pool, g)) != NULL;) {
		g->accounted = SPOOL_PAGE;
		g->complete = false;
	}
	journal_replay_again(s->journal, note_gone, &p);
}

static void
set_limits(struct journal *j, const struct store_limits *limits)
{
	if (limits->checkpoint_minimum > 0)
		journal_set_checkpoint_minimum(j, limits->checkpoint_minimum);
	if (limits->checkpoint_at_once > 0)
		journal_set_at_once(j, limits->checkpoint_at_once);
	if (limits->journal_buffer > 0)
		journal_set_buffer_maximum(j, limits->journal_buffer);
}

static void
recover(struct store *s, struct event_base *base, const struct store_limits *limits)
{
	struct replay rp = {
	    .pool = s->pool, .atoms = s->atoms, .pauses = &s->pauses, .messages = &s->messages};

	s->journal = journal_open(base, s->journalfd, s->corruptfd, s->instance, replay_record,
	    &store_journal_ops, &rp);
	journal_set_arg(s->journal, s);
	set_limits(s->journal, limits);
	segment_pool_generation_at_least(s->pool, rp.generation);
	s->searching = !journal_is_whole(s->journal) ||
		       (journal_is_new(s->journal) && segment_pool_next(s->pool, NULL) != NULL);
	if (s->searching)
		search_everything(s);
	adopt_all(s);
	for (struct spool_segment *g = NULL; (g = segment_pool_next(s->pool, g)) != NULL;)
		scan_segment(s, g);
	idmap_release(&s->gone);
	report_missing(s, &rp);
	replay_release(&rp);
	settle_told(s);
	if (journal_settle(s->journal) != 0)
		log_warnx("spool: no checkpoint could be written; the logs before stay in use");
}

struct store *
store_open(struct event_base *base, int spoolfd, uint64_t segment_size,
    const struct store_ops *ops, void *arg)
{
	return store_open_limited(
	    base, spoolfd, segment_size, &(struct store_limits){0}, ops, arg);
}

struct store *
store_open_limited(struct event_base *base, int spoolfd, uint64_t segment_size,
    const struct store_limits *limits, const struct store_ops *ops, void *arg)
{
	struct store *s = xcalloc(1, sizeof *s);

	s->ops = ops;
	s->arg = arg;
	s->spoolfd = spoolfd;
	s->said_room = true;
	s->atoms = atom_table_new();
	pauses_init(&s->pauses);
	message_map_init(&s->messages);
	idmap_init(&s->gone);
	idmap_init(&s->missing);
	s->reaper = event_new(base, -1, 0, store_reap, s);
	s->orphans = evtimer_new(base, on_orphans, s);
	s->journalfd = open_directory(spoolfd, "journal");
	s->corruptfd = open_directory(spoolfd, "corrupt");
	if (s->journalfd < 0 || s->corruptfd < 0)
		goto fail;
	if (spool_instance_obtain(spoolfd, s->journalfd, s->corruptfd, &s->instance) != 0) {
		log_warn("spool: journal/instance");
		goto fail;
	}
	s->pool = segment_pool_new(
	    base, spoolfd, s->corruptfd, s->instance, segment_size, &store_pool_ops, s);
	if (s->pool == NULL) {
		log_warn("spool: segments/ and large/");
		goto fail;
	}
	recover(s, base, limits);
	announce(s);
	s->said_room = store_has_room(s);
	log_info("spool: %" PRIu64 " messages for %" PRIu64 " recipients, %" PRIu64 " damaged",
	    s->counts.messages, s->counts.recipients, s->counts.damaged);
	segment_pool_on_durable(s->pool, 0);
	store_poll_orphans(s);
	return s;
fail:
	store_close(&s);
	return NULL;
}

void
store_close(struct store **sp)
{
	struct store *s = *sp;
	struct message *m;
	size_t at = 0;

	if (s == NULL)
		return;
	*sp = NULL;
	if (s->journal != NULL)
		store_reap(-1, 0, s);
	/* What the last flush frees is not prepared for a new life: the journal could not say so. */
	if (s->pool != NULL)
		segment_pool_stop(s->pool);
	journal_close(&s->journal);
	while ((m = message_map_next(&s->messages, &at)) != NULL)
		message_free(&m);
	message_map_release(&s->messages);
	idmap_release(&s->gone);
	atom_table_free(&s->atoms);
	pauses_release(&s->pauses);
	segment_pool_free(&s->pool);
	event_free(s->reaper);
	event_free(s->orphans);
	free(s->done);
	if (s->journalfd >= 0)
		close(s->journalfd);
	if (s->corruptfd >= 0)
		close(s->corruptfd);
	free(s);
}
