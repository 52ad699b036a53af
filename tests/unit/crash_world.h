/*
 * crash_world: a spool on the disk that remembers (crash_disk.h), driven by a
 * script: messages handed over, outcomes, reports, restarts. What was promised
 * and when is noted in the same log as the writes and flushes; crash_check.h
 * compares it with what recovery makes of an image.
 */
#ifndef TESTS_UNIT_CRASH_WORLD_H
#define TESTS_UNIT_CRASH_WORLD_H

#include "tests/unit/spool_fixture.h"

#include "common/log.h"
#include "queue/compactor.h"
#include "queue/own_writer.h"
#include "queue/store_parts.h"
#include "queue/store_wishes.h"
#include "tests/unit/crash_disk.h"
#include "tests/unit/crash_image.h"

#define WORLD_MESSAGES 600
#define WORLD_OUTCOMES 4000
#define WORLD_ENTRIES  8

enum world_note {
	NOTE_ACK = 1, /* index of a message: its done said ok */
	NOTE_OUTCOME, /* index of an outcome: recorded */
	NOTE_DURABLE, /* outcomes below this index are on disk */
};

/* A message as the script handed it over. */
struct world_message {
	struct world *world;
	uint64_t number;
	size_t size; /* of its content */
	bool answered, acked, large;
	uint32_t given; /* recipients; their addresses follow from number and entry */
	int report_of;	/* index of the message it reports on, -1 */
	bool delayed;	/* it tells of a delay */
	uint32_t told[WORLD_ENTRIES], ntold;
};

struct world_outcome {
	int message; /* index; -1 for P and C, where entry is a name's */
	uint32_t entry;
	char kind; /* as in the journal: D, T, F, S, R, X, B, W, H, U, Q, P, C */
	unsigned attempts;
	int64_t next;
	uint64_t position; /* in the journal of its life */
};

struct world {
	struct fixture f;
	struct own_writer *own;	     /* for reports; NULL until the first */
	struct compactor *compactor; /* while old segments are emptied */
	uint64_t segment_size, random;
	struct store_limits limits; /* from the next start on */
	unsigned nmessages, noutcomes, ndurable;
	unsigned life, began; /* first outcome, first message since the last start */
	bool failing;	      /* calls are made to fail: less is expected to work */
	struct world_message messages[WORLD_MESSAGES];
	struct world_outcome outcomes[WORLD_OUTCOMES];
};

static inline unsigned
world_random(struct world *w, unsigned n)
{
	return (unsigned)(image_random(&w->random) % n);
}

static inline void
world_address(uint64_t number, uint32_t entry, char out[64])
{
	snprintf(out, 64, "r%u.%" PRIx64 "@domain.test", entry, number);
}

/* The content of a message, from its number. */
static inline void
world_content(uint64_t number, size_t size, struct buf *out)
{
	uint64_t random = number * 0x9E3779B97F4A7C15ULL | 1;

	buf_init(out, size + 64);
	buf_addf(out, "Subject: %" PRIu64 "\n\n", number);
	while (out->len < size) {
		uint64_t v = image_random(&random);

		buf_add(out, &v, size - out->len < 4 ? size - out->len : 4);
	}
}

static inline void
world_envelope(const struct world *w, const struct world_message *m, struct buf *out)
{
	char address[WORLD_ENTRIES][64], of[24] = "", entries[128] = "";
	struct envelope_recipient r[WORLD_ENTRIES] = {0};
	struct envelope e = {.uid = -1, .recipients = r, .nrecipients = m->given};
	size_t n = 0;

	e.from = span_str(m->report_of >= 0 ? "" : "sender@domain.test");
	for (uint32_t i = 0; i < m->given; i++) {
		world_address(m->number, i, address[i]);
		r[i].address = span_str(address[i]);
	}
	if (m->report_of >= 0) {
		snprintf(of, sizeof of, "%" PRIu64, w->messages[m->report_of].number);
		for (uint32_t i = 0; i < m->ntold; i++)
			n += (size_t)snprintf(entries + n, sizeof entries - n, "%s%u",
			    i > 0 ? " " : "", m->told[i]);
	}
	e.bounce_of = span_str(of);
	if (m->delayed)
		e.bounce_delayed = span_str(entries);
	else
		e.bounce_entries = span_str(entries);
	buf_init(out, 65536);
	assert_int_equal(envelope_format(&e, out), 0);
}

/* What the journal has on disk by now is noted. */
static inline void
world_note_durable(struct world *w)
{
	unsigned n = w->ndurable;
	uint64_t durable;

	if (w->f.store == NULL)
		return;
	durable = journal_durable(w->f.store->journal);
	while (n < w->noutcomes && w->outcomes[n].position <= durable)
		n++;
	if (n > w->ndurable)
		disk_note(NOTE_DURABLE, w->ndurable = n, 0, 0);
}

static inline void
world_turn(struct world *w, unsigned ms)
{
	for (unsigned i = 0; i < ms; i++) {
		fixture_turn(&w->f, 1);
		world_note_durable(w);
	}
}

static inline struct message *
world_find(const struct world *w, const struct world_message *m)
{
	return store_find(w->f.store, m->number);
}

static inline void
world_note_outcome(
    struct world *w, int message, uint32_t entry, char kind, const struct recipient *r)
{
	assert_true(w->noutcomes < WORLD_OUTCOMES);
	w->outcomes[w->noutcomes] = (struct world_outcome){.message = message,
	    .entry = entry,
	    .kind = kind,
	    .attempts = r != NULL ? r->attempts : 0,
	    .next = r != NULL ? r->next : 0,
	    .position = journal_position(w->f.store->journal)};
	disk_note(NOTE_OUTCOME, w->noutcomes++, 0, 0);
}

/* A report is on disk: what it tells of is told. */
static inline void
world_reported(struct world *w, const struct world_message *m, struct message *of)
{
	char kind = m->delayed ? 'W' : 'B';

	for (uint32_t i = 0; i < m->ntold; i++) {
		struct recipient *r = message_recipient(of, m->told[i]);

		if (m->delayed || r->state == RECIPIENT_FAILED || r->state == RECIPIENT_TELL)
			world_note_outcome(w, m->report_of, m->told[i], kind, r);
	}
	if (m->delayed)
		store_warned(w->f.store, of, m->told, m->ntold);
	else
		store_told(w->f.store, of, m->told, m->ntold);
	/* They were noted before the record was appended: the position is the next. */
	for (unsigned i = w->noutcomes; i-- > w->life && w->outcomes[i].kind == kind &&
					w->outcomes[i].message == m->report_of;)
		w->outcomes[i].position = journal_position(w->f.store->journal);
}

/* A message's done. A report's also settles what it tells of. */
static inline void
world_on_done(const struct verdict *v, void *arg)
{
	struct world_message *m = arg;
	struct world *w = m->world;
	struct message *of = NULL;
	struct spool_segment *s;

	m->answered = true;
	m->acked = v->kind == VERDICT_OK;
	if (m->acked)
		disk_note(NOTE_ACK, (uint64_t)(m - w->messages), 0, 0);
	if (w->f.store == NULL)
		return;
	if (m->large) {
		s = segment_pool_find(store_pool(w->f.store), m->number, true);
		if (s != NULL && m->acked)
			store_intake_rest(w->f.store, s);
		else if (s != NULL)
			store_drop_large(w->f.store, s);
	}
	if (m->report_of >= 0)
		of = world_find(w, &w->messages[m->report_of]);
	if (of == NULL)
		return;
	message_report(of)->bouncing = false;
	if (m->acked)
		world_reported(w, m, of);
}

static inline void
world_on_durable(uint64_t segment, uint64_t generation, uint64_t offset, void *arg)
{
	struct world *w = arg;

	fixture_on_durable(segment, generation, offset, &w->f);
}

/* As queue/intake.c does it. */
static inline void
world_on_sealed(
    uint64_t segment, uint64_t generation, uint64_t offset, enum spool_seal why, void *arg)
{
	struct world *w = arg;
	struct spool_segment *s =
	    w->f.store != NULL ? segment_pool_find(store_pool(w->f.store), segment, false)
			       : NULL;

	(void)generation, (void)offset;
	if (s != NULL && why == SPOOL_SEAL_FAILED)
		s->damaged = true;
	if (s != NULL)
		store_seal(w->f.store, s);
}

static const struct spool_writer_ops world_writer_ops = {
    .on_durable = world_on_durable, .on_sealed = world_on_sealed};

static inline void
world_count_segment(uint64_t number, uint64_t generation, uint64_t offset, void *arg)
{
	(void)number, (void)generation, (void)offset;
	++*(unsigned *)arg;
}

/* Two segments in hand, as a worker has; false if there is none. */
static inline bool
world_supply(struct world *w)
{
	unsigned have = 0;
	int fd;

	if (w->f.writer == NULL)
		w->f.writer = spool_writer_new(w->f.base, &world_writer_ops, w);
	spool_writer_each_segment(w->f.writer, world_count_segment, &have);
	segment_pool_keep_ready(store_pool(w->f.store), 1);
	for (unsigned i = 0; have < 2 && i < (w->failing ? 30U : 5000U); i++) {
		struct spool_segment *s = segment_pool_take(store_pool(w->f.store), w, &fd);

		if (s == NULL) {
			world_turn(w, 1);
			continue;
		}
		spool_writer_add_segment(w->f.writer, s->number, s->generation,
		    store_instance(w->f.store), s->size, s->accounted, fd);
		have++;
	}
	assert_true(have > 0 || w->failing);
	return have > 0;
}

static inline struct world_message *
world_new_message(struct world *w, uint64_t number, size_t size, uint32_t given)
{
	struct world_message *m = &w->messages[w->nmessages];

	assert_true(w->nmessages < WORLD_MESSAGES);
	*m = (struct world_message){
	    .world = w, .number = number, .size = size, .given = given, .report_of = -1};
	w->nmessages++;
	return m;
}

static inline void
world_commit(struct world *w, struct spool_writer *writer, struct world_message *m)
{
	struct buf envelope, content;

	world_envelope(w, m, &envelope);
	world_content(m->number, m->size, &content);
	spool_writer_commit(writer, m->number, 1700000000000, buf_span(&envelope),
	    buf_span(&content), world_on_done, m);
	buf_release(&envelope);
	buf_release(&content);
}

/* Hands a message over; -1 if there is nothing to write to. */
static inline int
world_send(struct world *w, size_t size, uint32_t given)
{
	struct world_message *m;

	if (!world_supply(w))
		return -1;
	m = world_new_message(w, spool_writer_next_message(w->f.writer), size, given);
	world_commit(w, w->f.writer, m);
	return (int)(m - w->messages);
}

static inline bool
world_is_idle(struct fixture *f)
{
	return f->writer == NULL || spool_writer_pending(f->writer) == 0;
}

/* Everything handed over has its answer. */
static inline void
world_settle_down(struct world *w)
{
	fixture_until(&w->f, world_is_idle);
	for (unsigned i = 0, open = 1; open > 0 && i < 5000; i++) {
		world_turn(w, 1);
		open = 0;
		for (unsigned k = w->began; k < w->nmessages; k++)
			open += w->messages[k].report_of >= 0 && !w->messages[k].answered;
	}
}

/* A large message; cut: its client goes away in the middle. */
static inline int
world_send_large(struct world *w, size_t size, bool cut)
{
	struct world_message *m;
	struct spool_segment *s;
	struct spool_large *l;
	struct buf envelope, content;
	int fd, r = 0;

	if (!world_supply(w))
		return -1;
	m = world_new_message(w, spool_writer_next_message(w->f.writer), size, 1);
	m->large = true;
	s = segment_pool_create_large(store_pool(w->f.store), m->number, size, w, &fd);
	if (s == NULL) {
		assert_true(w->failing);
		return -1;
	}
	world_envelope(w, m, &envelope);
	world_content(m->number, m->size, &content);
	l = spool_large_new(w->f.writer, fd, m->number, s->generation,
	    store_instance(w->f.store), 1700000000000, buf_span(&envelope));
	for (size_t at = 0; r == 0 && at < content.len && !(cut && at > content.len / 2);
	     at += 30000)
		r = spool_large_append(l, span_first(span_skip(buf_span(&content), at), 30000));
	buf_release(&envelope);
	buf_release(&content);
	if (cut || r != 0) {
		spool_large_abort(&l);
		store_drop_large(w->f.store, s);
		return -1;
	}
	spool_large_commit(&l, world_on_done, m);
	return (int)(m - w->messages);
}

/* X: an entry becomes two. Those of one that is held are held. */
static inline bool
world_expand(struct world *w, struct message *m, struct recipient *r)
{
	struct message_target targets[2];
	char address[2][64];

	if (m->nrecipients + 2 > WORLD_ENTRIES)
		return false;
	for (uint32_t i = 0; i < 2; i++) {
		world_address(m->number, m->nrecipients + i, address[i]);
		targets[i] = (struct message_target){
		    i == 0 ? RECIPIENT_MAILBOX : RECIPIENT_REMOTE, span_str(address[i])};
	}
	(void)store_expand(w->f.store, r, targets, 2);
	return true;
}

/* What the administrator wants: H, h (while it is in a job), U, Q. False if it changes nothing. */
static inline bool
world_wish(struct world *w, struct recipient *r, char kind)
{
	if (kind == 'U')
		return store_release(w->f.store, r);
	if (kind == 'Q')
		return store_requeue(w->f.store, r);
	/* What was deferred before has its next time in the log, and none in a checkpoint while it is active. */
	if (kind == 'h' && r->state == RECIPIENT_DUE && r->reason == NULL)
		recipient_set_state(r, RECIPIENT_ACTIVE);
	return store_hold(w->f.store, r);
}

static inline bool
world_conclude(struct world *w, struct recipient *r, char kind)
{
	struct verdict v;

	verdict_set(&v,
	    kind == 'D' || kind == 'S' ? VERDICT_OK
	    : kind == 'F'	       ? VERDICT_PERMANENT
				       : VERDICT_TEMPORARY,
	    0,
	    kind == 'D' || kind == 'S' ? "2.0.0"
	    : kind == 'F'	       ? "5.1.1"
				       : "4.2.0",
	    "said %c", kind);
	r->attempts++;
	if (kind == 'D')
		store_deliver(w->f.store, r, &v);
	else if (kind == 'S')
		store_succeed(w->f.store, r, RECIPIENT_RELAYED, &v);
	else if (kind == 'T')
		store_defer(w->f.store, r, &v, 1800000000 + (int64_t)w->noutcomes);
	else if (kind == 'F')
		store_fail(w->f.store, r, &v);
	else
		store_remove(w->f.store, r);
	return true;
}

/* Records an outcome of an entry that is not settled. next, attempts: for T and F. */
static inline void
world_outcome(struct world *w, int index, uint32_t entry, char kind)
{
	struct message *m = index >= 0 ? world_find(w, &w->messages[index]) : NULL;
	struct recipient *r = m != NULL ? message_recipient(m, entry) : NULL;
	uint32_t before;

	if (r == NULL || r->state >= RECIPIENT_FAILED)
		return;
	before = m->nrecipients;
	if (!(kind == 'X'		       ? world_expand(w, m, r)
		: strchr("HhUQ", kind) != NULL ? world_wish(w, r, kind)
					       : world_conclude(w, r, kind)))
		return;
	world_note_outcome(w, index, entry, kind == 'h' ? 'H' : kind, r);
	for (uint32_t i = before; i < m->nrecipients; i++)
		if (message_recipient(m, i)->held)
			world_note_outcome(w, index, i, 'H', message_recipient(m, i));
}

/* Pauses (P) or continues (C) destination or sender domain number name. */
static inline void
world_pause(struct world *w, unsigned name, char kind)
{
	char text[32];

	snprintf(text, sizeof text, "d%u.test", name);
	if (kind == 'P' ? store_pause(w->f.store, name % 2, span_str(text))
			: store_continue(w->f.store, name % 2, span_str(text)))
		world_note_outcome(w, -1, name, kind, NULL);
}

/* What a report on this entry would tell. */
static inline bool
world_is_to_tell(const struct recipient *r, bool delayed)
{
	if (delayed)
		return r->state == RECIPIENT_DEFERRED && !r->warned;
	return r->state == RECIPIENT_FAILED || r->state == RECIPIENT_TELL;
}

/* The reporter's part: one report at a time, of ends once they are on disk, or of delays. */
static inline int
world_write_report(struct world *w, int index, bool delayed)
{
	struct message *of = world_find(w, &w->messages[index]);
	struct spool_writer *writer = NULL;
	struct world_message *m;
	uint32_t n = 0;

	for (uint32_t i = 0; of != NULL && i < of->nrecipients; i++)
		n += world_is_to_tell(message_recipient(of, i), delayed);
	if (n == 0 || (of->report != NULL && of->report->bouncing) ||
	    !store_may_tell(w->f.store, of))
		return -1;
	if (w->own == NULL)
		w->own = own_writer_new(w->f.base, w->f.store);
	for (unsigned i = 0; writer == NULL && i < (w->failing ? 30U : 5000U); i++) {
		writer = own_writer_for_report(w->own, 4096);
		if (writer == NULL)
			world_turn(w, 1);
	}
	of = world_find(w, &w->messages[index]);
	if (writer == NULL || of == NULL) {
		assert_true(w->failing);
		return -1;
	}
	m = world_new_message(w, spool_writer_next_message(writer), 500, 1);
	m->report_of = index;
	m->delayed = delayed;
	for (uint32_t i = 0; i < of->nrecipients; i++)
		if (world_is_to_tell(message_recipient(of, i), delayed))
			m->told[m->ntold++] = i;
	message_report(of)->bouncing = true;
	world_commit(w, writer, m);
	return (int)(m - w->messages);
}

static inline int
world_report(struct world *w, int index)
{
	return world_write_report(w, index, false);
}

static inline int
world_warn(struct world *w, int index)
{
	return world_write_report(w, index, true);
}

/* An orderly stop: the journal is flushed. */
static inline void
world_close(struct world *w)
{
	bool healthy = journal_healthy(w->f.store->journal);

	if (w->compactor != NULL)
		compactor_stop(w->compactor);
	own_writer_free(&w->own);
	compactor_free(&w->compactor);
	fixture_close(&w->f);
	if (healthy && !w->failing && w->ndurable < w->noutcomes)
		disk_note(NOTE_DURABLE, w->ndurable = w->noutcomes, 0, 0);
	w->life = w->ndurable = w->noutcomes;
	w->began = w->nmessages;
}

static inline bool
world_open(struct world *w)
{
	w->f.nseen = 0;
	w->f.store = store_open_limited(
	    w->f.base, w->f.spoolfd, w->segment_size, &w->limits, &fixture_store_ops, &w->f);
	return w->f.store != NULL;
}

static inline void
world_reopen(struct world *w)
{
	world_close(w);
	assert_true(world_open(w));
}

static inline struct world *
world_new(uint64_t seed)
{
	struct world *w = xcalloc(1, sizeof *w);

	w->random = seed * 2 + 1;
	w->segment_size = FIXTURE_SEGMENT;
	disk_start(seed);
	fixture_init(&w->f);
	return w;
}

/* Ends the recording and closes; the log and what was noted stay. */
static inline void
world_end(struct world *w)
{
	disk_stop();
	fixture_release(&w->f);
}

#endif
