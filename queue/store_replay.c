/*
 * store_replay: the journal's records. See store_replay.h; the list with the
 * meaning of each is in doc/SPOOL.md. Fields are decimal numbers separated by
 * one space; the last field may be text up to the end of the record.
 */
#include "queue/store_replay.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/spool_record.h"

#define EXPANSION_MAX (8U << 20)

enum { /* flags of M */
	FLAG_EIGHT_BIT = 1,
	FLAG_UTF8 = 2,
	FLAG_DSN = 4,
	FLAG_DELAYED = 8,
};

static unsigned
message_flags(const struct message *m)
{
	return (m->eight_bit ? FLAG_EIGHT_BIT : 0U) | (m->utf8 ? FLAG_UTF8 : 0U) |
	       (m->has_dsn ? FLAG_DSN : 0U) |
	       (m->report != NULL && m->report->delayed ? FLAG_DELAYED : 0U);
}

/*
 * The record that says a message exists, and all there is to know of it; large is 1 for a file of
 * its own. end: where the next record may begin.
 */
static void
format_message(struct buf *b, const struct message *m, uint64_t end)
{
	buf_addf(b,
	    "M %" PRIu64 " %d %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIi64
	    " %" PRIu32 " %" PRIu64 " %" PRIu32 " %u %" PRIu64,
	    m->number, m->segment->large ? 1 : 0, m->segment->number, m->segment->generation,
	    m->offset, end, m->received, m->envelope_len, m->content_len, m->content_crc,
	    message_flags(m), message_bounce_of(m));
	for (uint32_t i = 0; m->report != NULL && i < m->report->ntold; i++)
		buf_addf(b, " %" PRIu32, m->report->told[i]);
	buf_addf(b, "\n%s", m->from);
	for (uint32_t i = 0; i < m->given; i++)
		buf_addf(b, "\n%u %s", m->own[i].notify, m->own[i].address);
}

uint64_t
record_message(struct journal *j, const struct message *m, uint64_t end)
{
	struct buf b;
	uint64_t position;

	buf_init(&b, EXPANSION_MAX);
	format_message(&b, m, end);
	position = journal_append(j, buf_span(&b));
	buf_release(&b);
	return position;
}

uint64_t
record_delivered(struct journal *j, const struct recipient *r)
{
	return journal_appendf(j, "D %" PRIu64 " %" PRIu32, r->message->number, r->entry);
}

/* next has a meaning while the recipient waits for it only: else it is tried at once. */
#define OUTCOME_FORMAT "%c %" PRIu64 " %" PRIu32 " %u %" PRIi64 " %s %s"
#define OUTCOME_ARGS(kind, r)                                                                  \
	(kind), (r)->message->number, (r)->entry, (r)->attempts, recipient_next(r),            \
	    (r)->mta != NULL ? (r)->mta : "-", (r)->reason != NULL ? (r)->reason : ""

static int64_t
recipient_next(const struct recipient *r)
{
	return r->state == RECIPIENT_DEFERRED || r->state == RECIPIENT_HELD ? r->next : 0;
}

uint64_t
record_deferred(struct journal *j, const struct recipient *r)
{
	return journal_appendf(j, OUTCOME_FORMAT, OUTCOME_ARGS('T', r));
}

uint64_t
record_failed(struct journal *j, const struct recipient *r)
{
	return journal_appendf(j, OUTCOME_FORMAT, OUTCOME_ARGS('F', r));
}

uint64_t
record_removed(struct journal *j, const struct recipient *r)
{
	return journal_appendf(j, "R %" PRIu64 " %" PRIu32, r->message->number, r->entry);
}

uint64_t
record_told(struct journal *j, const struct message *m, const uint32_t *entries, size_t n)
{
	struct buf b;
	uint64_t position;

	buf_init(&b, EXPANSION_MAX);
	buf_addf(&b, "B %" PRIu64, m->number);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, " %" PRIu32, entries[i]);
	position = journal_append(j, buf_span(&b));
	buf_release(&b);
	return position;
}

#define COMPLETE_FORMAT	 "Z %d %" PRIu64 " %" PRIu64
#define COMPLETE_ARGS(s) (s)->large ? 1 : 0, (s)->number, (s)->generation

uint64_t
record_complete(struct journal *j, const struct spool_segment *s)
{
	return journal_appendf(j, COMPLETE_FORMAT, COMPLETE_ARGS(s));
}

uint64_t
record_generation(struct journal *j, uint64_t generation)
{
	return journal_appendf(j, "G %" PRIu64, generation);
}

#define OWN_FORMAT "O %" PRIu64 " %" PRIu64

uint64_t
record_own(struct journal *j, uint64_t segment, uint64_t generation)
{
	return journal_appendf(j, OWN_FORMAT, segment, generation);
}

/* X message parent first count, then a line "kind address" for each new entry. */
static void
format_expansion(
    struct buf *b, const struct message *m, uint32_t parent, uint32_t first, uint32_t end)
{
	buf_addf(b, "X %" PRIu64 " %" PRIu32 " %" PRIu32 " %" PRIu32, m->number, parent, first,
	    end - first);
	for (uint32_t i = first; i < end; i++) {
		const struct recipient *r = message_recipient(m, i);

		buf_addf(b, "\n%c %s", r->kind == RECIPIENT_MAILBOX ? 'm' : 'r', r->address);
	}
}

uint64_t
record_expanded(struct journal *j, const struct recipient *r, uint32_t first)
{
	struct buf b;
	uint64_t position;

	buf_init(&b, EXPANSION_MAX);
	format_expansion(&b, r->message, r->entry, first, r->message->nrecipients);
	position = journal_append(j, buf_span(&b));
	buf_release(&b);
	return position;
}

/* Runs of entries with the same parent were one expansion. */
static void
checkpoint_expansions(struct journal *j, const struct message *m)
{
	for (uint32_t i = m->given; i < m->nrecipients;) {
		uint32_t end = i, parent = message_recipient(m, i)->parent;
		struct buf b;

		while (end < m->nrecipients && message_recipient(m, end)->parent == parent)
			end++;
		buf_init(&b, EXPANSION_MAX);
		format_expansion(&b, m, parent, i, end);
		journal_checkpoint_add(j, buf_span(&b));
		buf_release(&b);
		i = end;
	}
}

void
replay_checkpoint_message(struct journal *j, const struct message *m)
{
	struct buf b;

	buf_init(&b, EXPANSION_MAX);
	format_message(
	    &b, m, 0); /* the segment's own record says how far it is accounted for */
	journal_checkpoint_add(j, buf_span(&b));
	buf_release(&b);
	checkpoint_expansions(j, m);
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		const struct recipient *r = message_recipient(m, i);

		if (r->state == RECIPIENT_SETTLED)
			journal_checkpoint_addf(
			    j, "D %" PRIu64 " %" PRIu32, m->number, r->entry);
		else if (r->state == RECIPIENT_FAILED)
			journal_checkpoint_addf(j, OUTCOME_FORMAT, OUTCOME_ARGS('F', r));
		else if (r->attempts > 0)
			journal_checkpoint_addf(j, OUTCOME_FORMAT, OUTCOME_ARGS('T', r));
	}
}

void
replay_checkpoint_segment(struct journal *j, const struct spool_segment *s)
{
	journal_checkpoint_addf(j, "A %d %" PRIu64 " %" PRIu64 " %" PRIu64, s->large ? 1 : 0,
	    s->number, s->generation, s->accounted);
	if (s->complete)
		journal_checkpoint_addf(j, COMPLETE_FORMAT, COMPLETE_ARGS(s));
	if (s->own)
		journal_checkpoint_addf(j, OWN_FORMAT, s->number, s->generation);
}

void
replay_checkpoint_generation(struct journal *j, uint64_t generation)
{
	journal_checkpoint_addf(j, "G %" PRIu64, generation);
}

/* Takes n numbers off *rest. */
static int
take_numbers(struct span *rest, uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct span field = span_cut(rest, ' ');

		if (span_to_u64(field, UINT64_MAX, &v[i]) != 0)
			return -1;
	}
	return 0;
}

static struct recipient *
find_entry(struct replay *rp, uint64_t number, uint64_t entry)
{
	struct message *m = idmap_find(&rp->messages, number);

	return m != NULL && entry <= UINT32_MAX ? message_recipient(m, (uint32_t)entry) : NULL;
}

static struct spool_segment *
find_segment(struct replay *rp, uint64_t number, bool large)
{
	return rp->pool != NULL ? segment_pool_find(rp->pool, number, large) : NULL;
}

static void
account(struct spool_segment *s, uint64_t offset)
{
	if (offset > s->accounted)
		s->accounted = offset;
}

/* The recipients of M, a line each: "notify address". The caller frees. NULL if malformed. */
static struct message_given *
take_given(struct span rest, uint32_t *n)
{
	struct message_given *given;
	size_t lines = 1;

	for (size_t i = 0; i < rest.len; i++)
		lines += rest.p[i] == '\n';
	given = xcalloc(lines, sizeof *given);
	*n = 0;
	while (rest.p != NULL) {
		struct span line = span_cut(&rest, '\n'), notify = span_cut(&line, ' ');
		uint64_t v;

		if (line.p == NULL || span_to_u64(notify, 31, &v) != 0) {
			free(given);
			return NULL;
		}
		given[(*n)++] = (struct message_given){line, (uint8_t)v};
	}
	return given;
}

static int
take_told(struct message *m, struct span head, uint64_t of, bool delayed)
{
	struct message_report *p;
	uint64_t entry;

	if (of == 0)
		return head.len == 0 ? 0 : -1;
	p = message_report(m);
	p->bounce_of = of;
	p->delayed = delayed;
	while (head.len > 0) {
		if (take_numbers(&head, &entry, 1) != 0 || entry > UINT32_MAX)
			return -1;
		p->told = xreallocarray(p->told, p->ntold + 1, sizeof *p->told);
		p->told[p->ntold++] = (uint32_t)entry;
	}
	return 0;
}

/* The message of an M record: v are its numbers, head what follows them, rest the lines behind. NULL if malformed. */
static struct message *
make_message(struct replay *rp, const uint64_t v[12], struct span head, struct span rest)
{
	struct span from = span_cut(&rest, '\n');
	struct message_given *given;
	struct message *m;
	uint32_t n;

	if (v[4] > UINT32_MAX || v[7] > UINT32_MAX || v[9] > UINT32_MAX || rest.p == NULL)
		return NULL;
	given = take_given(rest, &n);
	if (given == NULL)
		return NULL;
	m = message_new(rp->atoms, v[0], from, given, n);
	free(given);
	m->offset = (uint32_t)v[4];
	m->received = (int64_t)v[6];
	m->envelope_len = (uint32_t)v[7];
	m->content_len = v[8];
	m->content_crc = (uint32_t)v[9];
	m->eight_bit = (v[10] & FLAG_EIGHT_BIT) != 0;
	m->utf8 = (v[10] & FLAG_UTF8) != 0;
	m->has_dsn = (v[10] & FLAG_DSN) != 0;
	if (take_told(m, head, v[11], (v[10] & FLAG_DELAYED) != 0) != 0)
		message_free(&m);
	return m;
}

/*
 * A message whose segment is gone or has a new life since was settled, and a later record says so.
 * It is kept without a segment until then; one that is left so at the end is reported as missing.
 */
static int
apply_message(struct replay *rp, struct span rest)
{
	struct span head = span_cut(&rest, '\n');
	uint64_t v[12];
	struct spool_segment *s;
	struct message *m;

	if (take_numbers(&head, v, 12) != 0)
		return -1;
	s = find_segment(rp, v[2], v[1] == 1);
	if (s != NULL && !s->large && s->generation != v[3])
		s = NULL;
	if (s != NULL)
		account(s, v[5]);
	if (idmap_find(&rp->messages, v[0]) != NULL)
		return 0;
	m = make_message(rp, v, head, rest);
	if (m == NULL)
		return -1;
	m->segment = s;
	(void)idmap_insert(&rp->messages, m->number, m);
	return 0;
}

static void
forget_if_settled(struct replay *rp, struct message *m)
{
	if (m->unsettled == 0) {
		(void)idmap_remove(&rp->messages, m->number);
		message_free(&m);
	}
}

static int
apply_settled(struct replay *rp, struct span rest)
{
	uint64_t v[2];
	struct recipient *r;

	if (take_numbers(&rest, v, 2) != 0)
		return -1;
	r = find_entry(rp, v[0], v[1]);
	if (r != NULL) {
		recipient_set_state(r, RECIPIENT_SETTLED);
		forget_if_settled(rp, r->message);
	}
	return 0;
}

static int
apply_outcome(struct replay *rp, struct span rest, enum recipient_state state)
{
	uint64_t v[4];
	struct recipient *r;
	struct span mta;

	if (take_numbers(&rest, v, 4) != 0)
		return -1;
	mta = span_cut(&rest, ' ');
	r = find_entry(rp, v[0], v[1]);
	if (r == NULL || r->state == RECIPIENT_SETTLED)
		return 0;
	r->attempts = (uint16_t)(v[2] < UINT16_MAX ? v[2] : UINT16_MAX);
	atom_unref(&r->reason);
	r->reason = atom_get(rp->atoms, rest);
	recipient_set_mta(r, span_is(mta, "-") ? span_str("") : mta);
	recipient_set_state(r, state);
	if (state == RECIPIENT_DEFERRED)
		r->next = (int64_t)v[3];
	return 0;
}

/* The new entries of X, a line each: "m address" or "r address". The caller frees. NULL if there is none. */
static struct message_target *
take_targets(struct span rest, size_t *n)
{
	struct message_target *targets;
	size_t lines = 1;

	*n = 0;
	if (rest.p == NULL)
		return NULL;
	for (size_t i = 0; i < rest.len; i++)
		lines += rest.p[i] == '\n';
	targets = xcalloc(lines, sizeof *targets);
	while (rest.p != NULL) {
		struct span line = span_cut(&rest, '\n');

		targets[*n].kind =
		    span_starts_with(line, "m ") ? RECIPIENT_MAILBOX : RECIPIENT_REMOTE;
		targets[(*n)++].address = span_skip(line, 2);
	}
	return targets;
}

static int
apply_expansion(struct replay *rp, struct span rest)
{
	struct span head = span_cut(&rest, '\n');
	struct message_target *targets;
	struct recipient *parent;
	uint64_t v[4];
	size_t n;

	if (take_numbers(&head, v, 4) != 0)
		return -1;
	parent = find_entry(rp, v[0], v[1]);
	if (parent == NULL || v[2] < parent->message->nrecipients)
		return 0; /* settled since, or known already */
	if (v[2] != parent->message->nrecipients || parent->state == RECIPIENT_SETTLED)
		return -1;
	targets = take_targets(rest, &n);
	if (targets == NULL)
		return -1;
	(void)message_expand(parent->message, parent->entry, targets, n);
	free(targets);
	recipient_set_state(parent, RECIPIENT_SETTLED);
	return 0;
}

static int
apply_told(struct replay *rp, struct span rest)
{
	struct message *m;
	uint64_t number, entry;

	if (take_numbers(&rest, &number, 1) != 0)
		return -1;
	m = idmap_find(&rp->messages, number);
	while (m != NULL && rest.len > 0) {
		struct recipient *r;

		if (take_numbers(&rest, &entry, 1) != 0)
			return -1;
		r = find_entry(rp, number, entry);
		if (r != NULL && r->state == RECIPIENT_FAILED)
			recipient_set_state(r, RECIPIENT_SETTLED);
	}
	if (m != NULL)
		forget_if_settled(rp, m);
	return 0;
}

static int
apply_segment(struct replay *rp, struct span rest)
{
	struct spool_segment *s;
	uint64_t v[4];

	if (take_numbers(&rest, v, 4) != 0)
		return -1;
	s = find_segment(rp, v[1], v[0] == 1);
	if (s != NULL && (s->large || s->generation == v[2]))
		account(s, v[3]);
	return 0;
}

static int
apply_complete(struct replay *rp, struct span rest)
{
	struct spool_segment *s;
	uint64_t v[3];

	if (take_numbers(&rest, v, 3) != 0)
		return -1;
	s = find_segment(rp, v[1], v[0] == 1);
	if (s != NULL && s->generation == v[2])
		s->complete = true;
	return 0;
}

static int
apply_own(struct replay *rp, struct span rest)
{
	struct spool_segment *s;
	uint64_t v[2];

	if (take_numbers(&rest, v, 2) != 0)
		return -1;
	s = find_segment(rp, v[0], false);
	if (s != NULL && s->generation == v[1])
		s->own = true;
	return 0;
}

static int
apply_generation(struct replay *rp, struct span rest)
{
	uint64_t v;

	if (take_numbers(&rest, &v, 1) != 0)
		return -1;
	if (v > rp->generation)
		rp->generation = v;
	return 0;
}

void
replay_record(struct span record, void *arg)
{
	struct replay *rp = arg;
	struct span rest = record;
	struct span kind = span_cut(&rest, ' ');
	int r = -1;

	if (kind.len == 1) {
		switch (kind.p[0]) {
		case 'M':
			r = apply_message(rp, rest);
			break;
		case 'D':
		case 'R':
			r = apply_settled(rp, rest);
			break;
		case 'T':
			r = apply_outcome(rp, rest, RECIPIENT_DEFERRED);
			break;
		case 'F':
			r = apply_outcome(rp, rest, RECIPIENT_FAILED);
			break;
		case 'X':
			r = apply_expansion(rp, rest);
			break;
		case 'B':
			r = apply_told(rp, rest);
			break;
		case 'A':
			r = apply_segment(rp, rest);
			break;
		case 'G':
			r = apply_generation(rp, rest);
			break;
		case 'O':
			r = apply_own(rp, rest);
			break;
		case 'Z':
			r = apply_complete(rp, rest);
			break;
		default:
			break;
		}
	}
	if (r != 0) {
		rp->malformed++;
		log_warnx("journal: a record is not understood: %.*s",
		    SPAN_ARG(span_first(record, 200)));
	}
}
