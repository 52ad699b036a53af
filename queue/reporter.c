/* reporter: writes delivery status notifications. See reporter.h. */
#include "queue/reporter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/bounce.h"
#include "queue/journal.h"
#include "queue/own_writer.h"
#include "queue/spool_envelope.h"

#define WHOLE_MAX  (64U << 10) /* messages up to this size are returned whole */
#define RETRY_MS   10000
#define DURABLE_MS (2 * JOURNAL_FLUSH_MS)

struct reporter {
	struct store *store;
	struct own_writer *own;
	struct spool_writer *writer; /* what own gave us, in this turn */
	struct event *retry;
	char *hostname;
	TAILQ_HEAD(report_list, message_report)
	waiting; /* to be told, and nothing to write with */
	bool stopping;
};

struct report {
	struct reporter *reporter;
	uint64_t message; /* by number: it may be gone when the report is written */
	size_t n;
	uint32_t entries[]; /* that it tells of: others may fail while it is being written */
};

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct reporter *r = arg;
	struct report_list again = TAILQ_HEAD_INITIALIZER(again);
	struct message_report *p;

	(void)fd, (void)what;
	TAILQ_CONCAT(&again, &r->waiting, link);
	while ((p = TAILQ_FIRST(&again)) != NULL) {
		TAILQ_REMOVE(&again, p, link);
		p->bouncing = p->waits = false;
		reporter_consider(r, p->message);
	}
}

struct reporter *
reporter_new(
    struct event_base *base, struct store *store, struct own_writer *own, const char *hostname)
{
	struct reporter *r = xcalloc(1, sizeof *r);

	r->store = store;
	r->hostname = xstrdup(hostname);
	r->own = own;
	r->retry = evtimer_new(base, on_retry, r);
	TAILQ_INIT(&r->waiting);
	return r;
}

void
reporter_set_hostname(struct reporter *r, const char *hostname)
{
	free(r->hostname);
	r->hostname = xstrdup(hostname);
}

void
reporter_free(struct reporter **rp)
{
	struct reporter *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	event_free(r->retry);
	free(r->hostname);
	free(r);
}

void
reporter_stop(struct reporter *r)
{
	r->stopping = true;
}

void
reporter_on_ready(struct reporter *r)
{
	if (!TAILQ_EMPTY(&r->waiting))
		on_retry(-1, 0, r);
}

void
reporter_forget(struct reporter *r, struct message *m)
{
	if (m->report != NULL && m->report->waits)
		TAILQ_REMOVE(&r->waiting, m->report, link);
}

/* For space to write to, or for the journal. */
static void
wait_for(struct reporter *r, struct message *m, unsigned ms)
{
	struct message_report *p = message_report(m);
	struct timeval then, until, in = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

	p->bouncing = p->waits = true;
	TAILQ_INSERT_TAIL(&r->waiting, p, link);
	event_base_gettimeofday_cached(event_get_base(r->retry), &then);
	evutil_timeradd(&then, &in, &then);
	if (!event_pending(r->retry, EV_TIMEOUT, &until) || evutil_timercmp(&then, &until, <))
		event_add(r->retry, &in);
}

static void
on_written(const struct verdict *v, void *arg)
{
	struct report *rep = arg;
	struct reporter *r = rep->reporter;
	struct message *m = store_find(r->store, rep->message);

	if (m != NULL && v->kind == VERDICT_OK) {
		store_told(r->store, m, rep->entries, rep->n);
		reporter_consider(r, m);
	} else if (m != NULL)
		wait_for(r, m, RETRY_MS);
	free(rep);
}

/* The FAILED entries of m that one report names. The caller frees. */
static struct report *
collect_failed(struct reporter *r, const struct message *m)
{
	struct report *rep = xcalloc(1, sizeof *rep + message_failed(m) * sizeof *rep->entries);

	rep->reporter = r;
	rep->message = m->number;
	for (uint32_t i = 0; i < m->nrecipients && rep->n < BOUNCE_RECIPIENTS_MAX; i++)
		if (message_recipient(m, i)->state == RECIPIENT_FAILED)
			rep->entries[rep->n++] = i;
	return rep;
}

/* The same as bounce.h wants them. The caller frees. */
static struct bounce_recipient *
describe_failed(const struct message *m, const struct report *rep)
{
	struct bounce_recipient *v = xcalloc(rep->n, sizeof *v);

	for (size_t i = 0; i < rep->n; i++) {
		const struct recipient *r = message_recipient(m, rep->entries[i]);

		v[i].original = span_str(recipient_origin(r)->address);
		v[i].address = span_str(r->address);
		v[i].mta = span_str(r->mta != NULL ? r->mta : "");
		recipient_get_reason(r, &v[i].verdict);
	}
	return v;
}

/* What is returned of the message: all of it, its header, or nothing if it cannot be read. */
static void
collect_content(struct reporter *r, struct message *m, struct buf *content, struct bounce *b)
{
	if (m->segment->large) {
		if (store_read_head(r->store, m, BOUNCE_HEADER_MAX, content) != 0)
			buf_clear(content);
		b->content = bounce_header_of(buf_span(content), BOUNCE_HEADER_MAX);
		return;
	}
	if (store_read_content(r->store, m, content) != 0)
		return;
	b->content_whole = content->len <= WHOLE_MAX;
	b->content = b->content_whole ? buf_span(content)
				      : bounce_header_of(buf_span(content), BOUNCE_HEADER_MAX);
}

static void
commit(struct reporter *r, struct message *m, uint64_t number, struct report *rep,
    struct span content, bool eight_bit)
{
	struct envelope_recipient to = {.address = span_str(m->from)};
	char of[24];
	struct envelope e = {.uid = -1,
	    .from = span_str(""),
	    .eight_bit = eight_bit,
	    .recipients = &to,
	    .nrecipients = 1};
	struct buf text, entries;

	snprintf(of, sizeof of, "%" PRIu64, m->number);
	e.bounce_of = span_str(of);
	buf_init(&entries, ENVELOPE_MAX);
	for (size_t i = 0; i < rep->n; i++)
		buf_addf(&entries, "%s%" PRIu32, i > 0 ? " " : "", rep->entries[i]);
	e.bounce_entries = buf_span(&entries);
	buf_init(&text, ENVELOPE_MAX);
	if (envelope_format(&e, &text) != 0)
		fatalx("an envelope of one recipient does not fit");
	spool_writer_commit(
	    r->writer, number, clock_wall_ms(), buf_span(&text), content, on_written, rep);
	buf_release(&text);
	buf_release(&entries);
}

static void
write_report(struct reporter *r, struct message *m, uint64_t number)
{
	char id[SPOOL_ID_SIZE], own[SPOOL_ID_SIZE];
	struct bounce b = {.hostname = r->hostname,
	    .id = spool_id_format(m->number, id),
	    .own_id = spool_id_format(number, own),
	    .to = span_str(m->from),
	    .arrived = m->received / 1000,
	    .now = clock_wall()};
	struct bounce_result told;
	struct report *rep = collect_failed(r, m);
	struct bounce_recipient *failed = describe_failed(m, rep);
	struct buf content, report;

	buf_init(&content, MESSAGE_INLINE_MAX + 1);
	buf_init(&report, MESSAGE_INLINE_MAX);
	b.recipients = failed;
	b.nrecipients = rep->n;
	collect_content(r, m, &content, &b);
	if (bounce_compose(&b, &report, &told) != 0)
		fatalx("id=%s: a report does not fit", id);
	rep->n = told.nrecipients;
	log_info("id=%s bounce=%s to=<%s> recipients=%zu", id, own, m->from, rep->n);
	message_report(m)->bouncing = true;
	commit(r, m, number, rep, buf_span(&report), told.eight_bit);
	free(failed);
	buf_release(&content);
	buf_release(&report);
}

void
reporter_consider(struct reporter *r, struct message *m)
{
	char id[SPOOL_ID_SIZE];
	struct report *rep;
	uint64_t number;

	if (message_failed(m) == 0 || m->busy > 0 || m->report->bouncing || r->stopping)
		return;
	if (m->from[0] == '\0') {
		log_warnx("id=%s has no sender to tell of %u failed recipients: dropped",
		    spool_id_format(m->number, id), message_failed(m));
		while (message_failed(m) > 0) {
			rep = collect_failed(r, m);
			store_told(r->store, m, rep->entries, rep->n);
			free(rep);
		}
		return;
	}
	if (!store_may_tell(r->store, m)) {
		wait_for(r, m, DURABLE_MS);
		return;
	}
	r->writer = own_writer_for_report(r->own, MESSAGE_INLINE_MAX);
	number = r->writer != NULL ? spool_writer_next_message(r->writer) : 0;
	if (number == 0)
		wait_for(r, m, RETRY_MS);
	else
		write_report(r, m, number);
}
