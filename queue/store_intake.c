/*
 * store_intake: from segments into the queue: what a writer has made durable, and what stands in a segment whose writer
 * is gone. Each record becomes a message in memory and an M in the journal. See store.h; called by intake and
 * store_recover.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "queue/spool_envelope.h"
#include "queue/store_parts.h"
#include "queue/store_record.h"

/*
 * Which entries of another message a report tells of. Only what the queue manager itself wrote as a report is
 * believed: else whoever may write to a segment could settle what failed.
 */
static void
fill_report(struct message *m, const struct spool_segment *seg, const struct spool_record *r,
    const struct envelope *e)
{
	bool delayed = e->bounce_entries.len == 0 && e->bounce_delayed.len > 0;
	struct span entries = delayed ? e->bounce_delayed : e->bounce_entries;
	struct message_report *p;
	uint64_t of, v;

	if (!seg->own || r->kind != SPOOL_MESSAGE ||
	    span_to_u64(e->bounce_of, UINT64_MAX, &of) != 0 || of == 0)
		return;
	p = message_report(m);
	p->bounce_of = of;
	p->delayed = delayed;
	while (entries.len > 0 && span_to_u64(span_cut(&entries, ' '), UINT32_MAX, &v) == 0) {
		p->told = xreallocarray(p->told, p->ntold + 1, sizeof *p->told);
		p->told[p->ntold++] = (uint32_t)v;
	}
}

/* What the access table wants looked at first. */
static void
hold_for(struct message *m, struct span why)
{
	struct verdict v;

	verdict_set_parts(&v, VERDICT_TEMPORARY, 0, span_str("4.7.0"), why);
	message_hold(m, &v);
}

static struct message *
make_message(struct store *s, const struct spool_segment *seg, const struct spool_record *r,
    const struct envelope *e)
{
	struct message_given *given = xcalloc(e->nrecipients, sizeof *given);
	struct message *m;
	bool has_dsn = e->envid.len > 0 || e->ret.len > 0;

	for (size_t i = 0; i < e->nrecipients; i++) {
		const struct envelope_recipient *to = &e->recipients[i];

		given[i].address = to->address;
		given[i].notify = (uint8_t)dsn_notify_parse(to->notify);
		has_dsn |= to->orcpt.len > 0;
	}
	m = message_new(s->atoms, r->message, e->from, given, (uint32_t)e->nrecipients);
	free(given);
	m->envelope_len = r->envelope_len;
	m->content_len = r->content_len;
	m->content_crc = r->content_crc;
	m->received = r->received;
	m->eight_bit = e->eight_bit;
	m->utf8 = e->utf8;
	m->has_dsn = has_dsn;
	if (e->release > r->received / 1000)
		message_report(m)->release = e->release;
	if (e->hold.len > 0)
		hold_for(m, e->hold);
	fill_report(m, seg, r, e);
	return m;
}

/* The journal keeps addresses a line each. */
static bool
has_lines(const struct envelope *e)
{
	bool bad = span_has_control(e->from);

	for (size_t i = 0; i < e->nrecipients; i++)
		bad |= span_has_control(e->recipients[i].address);
	return bad;
}

struct message *
store_add_record(struct store *s, struct spool_segment *seg, uint64_t offset,
    const struct spool_record *r, struct span text)
{
	struct envelope e;
	struct message *m = NULL;

	if (message_map_find(&s->messages, r->message) != NULL)
		return NULL;
	if (r->kind > SPOOL_COPY) {
		store_keep_unknown(s, seg);
		return NULL;
	}
	if (offset <= UINT32_MAX && envelope_parse(text, &e) == 0) {
		if (!has_lines(&e))
			m = make_message(s, seg, r, &e);
		envelope_release(&e);
	}
	if (m == NULL) {
		log_warnx("segment=%" PRIu64 " offset=%" PRIu64
			  " has an envelope that is not understood",
		    seg->number, offset);
		return NULL;
	}
	(void)message_map_insert(&s->messages, m);
	store_place(m, seg, offset);
	s->counts.messages++;
	s->counts.recipients += m->nrecipients;
	s->counts.accepted++;
	return m;
}

static void
take_record(struct spool_segment *seg, uint64_t offset, const struct spool_record *r,
    struct span envelope, void *arg)
{
	struct store *s = arg;
	uint64_t end = offset + spool_record_extent(r);
	struct message *m = NULL;

	if (r->kind != SPOOL_COPY)
		m = store_add_record(s, seg, offset, r, envelope);
	else if (seg->own && seg->state == SEGMENT_OWNED)
		store_take_copy(s, seg, offset, r);
	if (end > seg->accounted)
		seg->accounted = end;
	if (m == NULL)
		return;
	(void)record_message(s->journal, m, end);
	for (uint32_t i = 0; i < m->nrecipients; i++) /* the reason */
		if (message_recipient(m, i)->state == RECIPIENT_HELD)
			(void)record_deferred(s->journal, message_recipient(m, i));
	s->ops->on_message(m, false, s->arg);
}

int
store_intake(struct store *s, struct spool_segment *seg, uint64_t offset)
{
	struct spool_scan_result result;

	if (offset > seg->size && !seg->large)
		return -1;
	if (offset <= seg->accounted)
		return 0;
	if (seg->large)
		seg->size = offset;
	spool_segment_scan(
	    seg, s->instance, seg->accounted, offset, false, take_record, s, &result);
	/* What is accounted ends in the padding of its batch when nothing followed since. */
	return spool_page_align(result.end) >= offset || seg->large ? 0 : -1;
}

void
store_intake_rest(struct store *s, struct spool_segment *seg)
{
	struct spool_scan_result result;
	struct stat st;

	if (seg->large && fstat(seg->fd, &st) == 0)
		seg->size = (uint64_t)st.st_size;
	spool_segment_scan(
	    seg, s->instance, seg->accounted, seg->size, true, take_record, s, &result);
	store_report_damage(s, seg, &result);
	store_seal(s, seg);
}

void
store_seal(struct store *s, struct spool_segment *seg)
{
	segment_pool_seal(s->pool, seg);
	seg->complete = true;
	(void)record_complete(s->journal, seg);
	seg->unneeded_at = journal_position(s->journal);
	if (journal_durable(s->journal) == journal_position(s->journal))
		segment_pool_on_durable(s->pool, journal_durable(s->journal));
}

void
store_drop_large(struct store *s, struct spool_segment *seg)
{
	segment_pool_seal(s->pool, seg);
	segment_pool_on_durable(s->pool, journal_durable(s->journal));
}
