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

#define RECIPIENTS_MAX 100000
#define EXPANSION_MAX  (8U << 20)

/* The record that says a message exists; large is 1 for a file of its own. end: where the next record may begin. */
#define MESSAGE_FORMAT                                                                         \
	"M %" PRIu64 " %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu32 " "        \
	"%" PRIu64
#define MESSAGE_ARGS(m, end)                                                                   \
	(m)->number, (m)->segment->large ? 1 : 0, (m)->segment->number,                        \
	    (m)->segment->generation, (m)->offset, (end), (m)->given, (m)->bounce_of

uint64_t
record_message(struct journal *j, const struct message *m, uint64_t end)
{
	return journal_appendf(j, MESSAGE_FORMAT, MESSAGE_ARGS(m, end));
}

uint64_t
record_delivered(struct journal *j, const struct recipient *r)
{
	return journal_appendf(j, "D %" PRIu64 " %" PRIu32, r->message->number, r->entry);
}

#define OUTCOME_FORMAT "%c %" PRIu64 " %" PRIu32 " %u %" PRIi64 " %s"
#define OUTCOME_ARGS(kind, r)                                                                  \
	(kind), (r)->message->number, (r)->entry, (r)->attempts, (r)->next,                    \
	    (r)->reason != NULL ? (r)->reason : ""

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

/* X message parent first count, then a line "kind address" for each new entry. */
static void
format_expansion(
    struct buf *b, const struct message *m, uint32_t parent, uint32_t first, uint32_t end)
{
	buf_addf(b, "X %" PRIu64 " %" PRIu32 " %" PRIu32 " %" PRIu32, m->number, parent, first,
	    end - first);
	for (uint32_t i = first; i < end; i++)
		buf_addf(b, "\n%c %s", m->recipients[i]->kind == RECIPIENT_MAILBOX ? 'm' : 'r',
		    m->recipients[i]->address);
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
		uint32_t end = i, parent = m->recipients[i]->parent;
		struct buf b;

		while (end < m->nrecipients && m->recipients[end]->parent == parent)
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
	uint64_t none = 0; /* the segment's own record says how far it is accounted for */

	journal_checkpoint_addf(j, MESSAGE_FORMAT, MESSAGE_ARGS(m, none));
	checkpoint_expansions(j, m);
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		const struct recipient *r = m->recipients[i];

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

	return m != NULL && entry < m->nrecipients ? m->recipients[entry] : NULL;
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

/*
 * A message whose segment is gone or has a new life since was settled, and a later record says so.
 * It is kept without a segment until then; one that is left so at the end is reported as missing.
 */
static int
apply_message(struct replay *rp, struct span rest)
{
	uint64_t v[8];
	struct spool_segment *s;
	struct message *m;

	if (take_numbers(&rest, v, 8) != 0 || v[6] == 0 || v[6] > RECIPIENTS_MAX)
		return -1;
	s = find_segment(rp, v[2], v[1] == 1);
	if (s != NULL && !s->large && s->generation != v[3])
		s = NULL;
	if (s != NULL)
		account(s, v[5]);
	if (idmap_find(&rp->messages, v[0]) != NULL)
		return 0;
	m = message_new(v[0]);
	m->segment = s;
	m->offset = v[4];
	m->bounce_of = v[7];
	for (uint64_t i = 0; i < v[6]; i++)
		message_add_recipient(m, RECIPIENT_GIVEN, (uint32_t)i, span_str(""));
	m->given = m->nrecipients;
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

	if (take_numbers(&rest, v, 4) != 0)
		return -1;
	r = find_entry(rp, v[0], v[1]);
	if (r == NULL || r->state == RECIPIENT_SETTLED)
		return 0;
	r->attempts = (uint16_t)(v[2] < UINT16_MAX ? v[2] : UINT16_MAX);
	r->next = (int64_t)v[3];
	free(r->reason);
	r->reason = xspandup(rest);
	recipient_set_state(r, state);
	return 0;
}

static int
apply_expansion(struct replay *rp, struct span rest)
{
	struct span head = span_cut(&rest, '\n');
	struct recipient *parent;
	uint64_t v[4];

	if (take_numbers(&head, v, 4) != 0)
		return -1;
	parent = find_entry(rp, v[0], v[1]);
	if (parent == NULL || v[2] < parent->message->nrecipients)
		return 0; /* settled since, or known already */
	if (v[2] != parent->message->nrecipients)
		return -1;
	while (rest.p != NULL) {
		struct span line = span_cut(&rest, '\n');
		enum recipient_kind kind =
		    span_starts_with(line, "m ") ? RECIPIENT_MAILBOX : RECIPIENT_REMOTE;

		message_add_recipient(
		    parent->message, kind, (uint32_t)v[1], span_skip(line, 2));
	}
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
