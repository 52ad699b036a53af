/*
 * store_record: the journal's records, formatted. See store_record.h. Fields are
 * decimal numbers with one space before each; the last field may be text up to
 * the end of the record or line. There may be millions at a time: no printf.
 */
#include "queue/store_record.h"

#include <string.h>

#include "common/buf.h"

#define WARNED_ENOUGH (1U << 20) /* a W of this size is followed by another */

/* A space and a number. */
static void
add_number(struct buf *b, uint64_t v)
{
	char text[24];
	size_t at = sizeof text;

	do {
		text[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	text[--at] = ' ';
	buf_add(b, text + at, sizeof text - at);
}

static void
add_text(struct buf *b, char before, const char *s)
{
	buf_add_char(b, before);
	buf_add_str(b, s);
}

/* The journal's scratch with the letter of a record and the number of its message. */
static struct buf *
begin(struct journal *j, char kind, uint64_t number)
{
	struct buf *b = journal_scratch(j);

	buf_add_char(b, kind);
	add_number(b, number);
	return b;
}

static struct buf *
begin_entry(struct journal *j, char kind, const struct recipient *r)
{
	struct buf *b = begin(j, kind, r->message->number);

	add_number(b, r->entry);
	return b;
}

static void
add_place(struct buf *b, const struct spool_segment *s)
{
	add_number(b, s->large ? 1 : 0);
	add_number(b, s->number);
	add_number(b, s->generation);
}

static bool
all_held(const struct message *m)
{
	for (uint32_t i = 0; i < m->given; i++)
		if (!m->own[i].held)
			return false;
	return true;
}

static unsigned
message_flags(const struct message *m)
{
	return (m->eight_bit ? RECORD_EIGHT_BIT : 0U) | (m->utf8 ? RECORD_UTF8 : 0U) |
	       (m->has_dsn ? RECORD_DSN : 0U) |
	       (m->report != NULL && m->report->delayed ? RECORD_DELAYED : 0U) |
	       (all_held(m) ? RECORD_HELD : 0U) |
	       (message_release(m) > 0 ? RECORD_RELEASE : 0U);
}

/* That a message exists, and all there is to know of it. end: where the next record of its segment may begin. */
static struct buf *
format_message(struct journal *j, const struct message *m, uint64_t end)
{
	struct buf *b = begin(j, 'M', m->number);

	add_place(b, m->segment);
	add_number(b, m->offset);
	add_number(b, end);
	add_number(b, m->received > 0 ? (uint64_t)m->received : 0);
	add_number(b, m->envelope_len);
	add_number(b, m->content_len);
	add_number(b, m->content_crc);
	add_number(b, message_flags(m));
	add_number(b, message_bounce_of(m));
	if (message_release(m) > 0)
		add_number(b, (uint64_t)message_release(m));
	for (uint32_t i = 0; m->report != NULL && i < m->report->ntold; i++)
		add_number(b, m->report->told[i]);
	add_text(b, '\n', m->from);
	for (uint32_t i = 0; i < m->given; i++) {
		buf_add_char(b, '\n');
		if (m->own[i].notify >= 10)
			buf_add_char(b, (char)('0' + m->own[i].notify / 10));
		buf_add_char(b, (char)('0' + m->own[i].notify % 10));
		add_text(b, ' ', m->own[i].address);
	}
	return b;
}

uint64_t
record_message(struct journal *j, const struct message *m, uint64_t end)
{
	return journal_append(j, buf_span(format_message(j, m, end)));
}

uint64_t
record_moved(struct journal *j, const struct message *m, uint64_t end)
{
	struct buf *b = begin(j, 'V', m->number);

	add_place(b, m->segment);
	add_number(b, m->offset);
	add_number(b, end);
	return journal_append(j, buf_span(b));
}

static uint64_t
record_entry(struct journal *j, char kind, const struct recipient *r)
{
	return journal_append(j, buf_span(begin_entry(j, kind, r)));
}

uint64_t
record_delivered(struct journal *j, const struct recipient *r)
{
	return record_entry(j, 'D', r);
}

uint64_t
record_removed(struct journal *j, const struct recipient *r)
{
	return record_entry(j, 'R', r);
}

uint64_t
record_held(struct journal *j, const struct recipient *r)
{
	return record_entry(j, 'H', r);
}

uint64_t
record_released(struct journal *j, const struct recipient *r)
{
	return record_entry(j, 'U', r);
}

uint64_t
record_requeued(struct journal *j, const struct recipient *r)
{
	return record_entry(j, 'Q', r);
}

/*
 * T, F or S, with the verdict. The next time has a meaning while a recipient waits for it only: else it is
 * tried at once.
 */
static struct buf *
format_outcome(struct journal *j, char kind, const struct recipient *r)
{
	struct buf *b = begin_entry(j, kind, r);
	bool waits = r->state == RECIPIENT_DEFERRED || r->state == RECIPIENT_HELD;

	add_number(b, r->attempts);
	if (kind == 'S')
		add_number(b, r->action);
	else
		add_number(b, waits && r->next > 0 ? (uint64_t)r->next : 0);
	add_text(b, ' ', r->mta != NULL ? r->mta : "-");
	add_text(b, ' ', r->reason != NULL ? r->reason : "");
	return b;
}

uint64_t
record_deferred(struct journal *j, const struct recipient *r)
{
	return journal_append(j, buf_span(format_outcome(j, 'T', r)));
}

/* It was to wait for its release, and does not: as if it had been deferred, to now, without an attempt. */
static struct buf *
format_early(struct journal *j, const struct recipient *r)
{
	struct buf *b = begin_entry(j, 'T', r);

	buf_add_str(b, " 0 0 - ");
	return b;
}

uint64_t
record_early(struct journal *j, const struct recipient *r)
{
	return journal_append(j, buf_span(format_early(j, r)));
}

uint64_t
record_failed(struct journal *j, const struct recipient *r)
{
	return journal_append(j, buf_span(format_outcome(j, 'F', r)));
}

uint64_t
record_succeeded(struct journal *j, const struct recipient *r)
{
	return journal_append(j, buf_span(format_outcome(j, 'S', r)));
}

static uint64_t
record_entries(
    struct journal *j, char kind, const struct message *m, const uint32_t *entries, size_t n)
{
	struct buf *b = begin(j, kind, m->number);

	for (size_t i = 0; i < n; i++)
		add_number(b, entries[i]);
	return journal_append(j, buf_span(b));
}

uint64_t
record_told(struct journal *j, const struct message *m, const uint32_t *entries, size_t n)
{
	return record_entries(j, 'B', m, entries, n);
}

uint64_t
record_warned(struct journal *j, const struct message *m, const uint32_t *entries, size_t n)
{
	return record_entries(j, 'W', m, entries, n);
}

static struct buf *
format_pause(struct journal *j, char record, enum pause_kind kind, struct span name)
{
	struct buf *b = journal_scratch(j);

	buf_add_char(b, record);
	buf_add_str(b, kind == PAUSE_DESTINATION ? " d " : " s ");
	buf_add_span(b, name);
	return b;
}

uint64_t
record_paused(struct journal *j, enum pause_kind kind, struct span name)
{
	return journal_append(j, buf_span(format_pause(j, 'P', kind, name)));
}

uint64_t
record_continued(struct journal *j, enum pause_kind kind, struct span name)
{
	return journal_append(j, buf_span(format_pause(j, 'C', kind, name)));
}

static struct buf *
format_complete(struct journal *j, const struct spool_segment *s)
{
	struct buf *b = journal_scratch(j);

	buf_add_char(b, 'Z');
	add_place(b, s);
	return b;
}

uint64_t
record_complete(struct journal *j, const struct spool_segment *s)
{
	return journal_append(j, buf_span(format_complete(j, s)));
}

static struct buf *
format_own(struct journal *j, uint64_t segment, uint64_t generation)
{
	struct buf *b = begin(j, 'O', segment);

	add_number(b, generation);
	return b;
}

uint64_t
record_own(struct journal *j, uint64_t segment, uint64_t generation)
{
	return journal_append(j, buf_span(format_own(j, segment, generation)));
}

uint64_t
record_generation(struct journal *j, uint64_t generation)
{
	return journal_append(j, buf_span(begin(j, 'G', generation)));
}

/* X message parent first count, then a line "kind address" for each new entry. */
static struct buf *
format_expansion(
    struct journal *j, const struct message *m, uint32_t parent, uint32_t first, uint32_t end)
{
	static const char kinds[] = {
	    [RECIPIENT_GIVEN] = 'g', [RECIPIENT_MAILBOX] = 'm', [RECIPIENT_REMOTE] = 'r'};
	struct buf *b = begin(j, 'X', m->number);

	add_number(b, parent);
	add_number(b, first);
	add_number(b, end - first);
	for (uint32_t i = first; i < end; i++) {
		const struct recipient *r = message_recipient(m, i);

		buf_add_char(b, '\n');
		buf_add_char(b, kinds[r->kind]);
		add_text(b, ' ', r->address);
	}
	return b;
}

uint64_t
record_expanded(struct journal *j, const struct recipient *r, uint32_t first)
{
	const struct message *m = r->message;

	return journal_append(
	    j, buf_span(format_expansion(j, m, r->entry, first, m->nrecipients)));
}

static void
checkpoint(struct journal *j, const struct buf *b)
{
	journal_checkpoint_add(j, buf_span(b));
}

/* Runs of entries with the same parent were one expansion. */
static void
checkpoint_expansions(struct journal *j, const struct message *m)
{
	for (uint32_t i = m->given; i < m->nrecipients;) {
		uint32_t end = i, parent = message_recipient(m, i)->parent;

		while (end < m->nrecipients && message_recipient(m, end)->parent == parent)
			end++;
		checkpoint(j, format_expansion(j, m, parent, i, end));
		i = end;
	}
}

static void
checkpoint_recipient(struct journal *j, const struct recipient *r)
{
	if (r->state == RECIPIENT_SETTLED) {
		checkpoint(j, begin_entry(j, 'D', r));
		return;
	}
	if (r->state == RECIPIENT_FAILED)
		checkpoint(j, format_outcome(j, 'F', r));
	else if (r->state == RECIPIENT_TELL)
		checkpoint(j, format_outcome(j, 'S', r));
	else if (r->attempts > 0 || r->reason != NULL)
		checkpoint(j, format_outcome(j, 'T', r));
	else if (r->early && message_release(r->message) > 0)
		checkpoint(j, format_early(j, r));
	if (r->held)
		checkpoint(j, begin_entry(j, 'H', r));
}

void
record_checkpoint_message(struct journal *j, const struct message *m)
{
	struct buf *b = NULL;

	/* The segment's own record says how far it is accounted for. */
	checkpoint(j, format_message(j, m, 0));
	checkpoint_expansions(j, m);
	for (uint32_t i = 0; i < m->nrecipients; i++)
		checkpoint_recipient(j, message_recipient(m, i));
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		if (!message_recipient(m, i)->warned)
			continue;
		if (b == NULL)
			b = begin(j, 'W', m->number);
		add_number(b, i);
		if (b->len > WARNED_ENOUGH) {
			checkpoint(j, b);
			b = NULL;
		}
	}
	if (b != NULL)
		checkpoint(j, b);
}

void
record_checkpoint_segment(struct journal *j, const struct spool_segment *s)
{
	struct buf *b = journal_scratch(j);

	buf_add_char(b, 'A');
	add_place(b, s);
	add_number(b, s->accounted);
	checkpoint(j, b);
	if (s->complete)
		checkpoint(j, format_complete(j, s));
	if (s->own)
		checkpoint(j, format_own(j, s->number, s->generation));
}

void
record_checkpoint_generation(struct journal *j, uint64_t generation)
{
	checkpoint(j, begin(j, 'G', generation));
}

void
record_checkpoint_pauses(struct journal *j, const struct pauses *p)
{
	for (int k = 0; k < PAUSE_KINDS; k++) {
		const char *name;
		size_t at = 0;

		while ((name = pauses_next(p, (enum pause_kind)k, &at)) != NULL)
			checkpoint(j, format_pause(j, 'P', (enum pause_kind)k, span_str(name)));
	}
}
