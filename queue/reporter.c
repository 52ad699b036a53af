/*
 * reporter: decides when a sender is told, and writes the report. See reporter.h.
 *
 * A message of which something is to be told is in one of these states: nothing is under way; its report
 * is being made (bouncing: the directory is asked for the text, then the spool writes); it waits: for space
 * or the journal, or (patient) for its other recipients.
 */
#include "queue/reporter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/log_value.h"
#include "common/xalloc.h"
#include "queue/journal.h"
#include "queue/spool_envelope.h"
#include "queue/spool_record.h"

#define SPACE_MS     10000
#define DURABLE_MS   (2 * JOURNAL_FLUSH_MS)
#define DIRECTORY_MS 1000  /* after it was lost */
#define ASK_MS	     30000 /* for an answer of the directory */
#define RECENT_MS    60000 /* a last attempt so long ago may be called by its time */
/* Beyond the report itself: its envelope, with the entries it tells of. */
#define ENVELOPE_ROOM (32U << 10)

TAILQ_HEAD(report_list, message_report);

struct reporter {
	struct report_source source;
	struct own_writer *own;
	struct peer *directory;
	struct event *timer;
	struct report_list waiting;
	TAILQ_HEAD(, question) questions; /* the directory has not answered */
	bool stopped;
};

/* What a report is about. By number: the message may be gone when something comes back. */
struct question {
	TAILQ_ENTRY(question) link;
	struct reporter *reporter;
	uint64_t message;
	bool delayed;
};

struct writing {
	struct reporter *reporter;
	uint64_t message;
	bool delayed;
	struct report_entries
	    entries; /* that it tells of: others may end while it is being written */
};

/* --- waiting --- */

static void
arm(struct reporter *r, uint64_t due_ms)
{
	uint64_t now = clock_mono_ms(), ms = due_ms > now ? due_ms - now : 0;
	struct timeval then, until, in = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000};

	event_base_gettimeofday_cached(event_get_base(r->timer), &then);
	evutil_timeradd(&then, &in, &then);
	if (!event_pending(r->timer, EV_TIMEOUT, &until) || evutil_timercmp(&then, &until, <))
		event_add(r->timer, &in);
}

static void
wait_for(struct reporter *r, struct message *m, uint64_t ms, bool patient)
{
	struct message_report *p = message_report(m);

	p->waits = true;
	p->patient = patient;
	p->due_ms = clock_mono_ms() + ms;
	TAILQ_INSERT_TAIL(&r->waiting, p, link);
	arm(r, p->due_ms);
}

static void
end_waiting(struct reporter *r, struct message_report *p)
{
	if (p->waits)
		TAILQ_REMOVE(&r->waiting, p, link);
	p->waits = p->patient = false;
}

/* --- writing --- */

static void
told(struct reporter *r, struct message *m, const struct report_entries *entries)
{
	store_told(r->source.store, m, entries->v, entries->n);
	message_report(m)->since_ms = 0;
}

static void
on_written(const struct verdict *v, void *arg)
{
	struct writing *w = arg;
	struct reporter *r = w->reporter;
	struct message *m = store_find(r->source.store, w->message);

	if (m != NULL) {
		message_report(m)->bouncing = false;
		if (v->kind != VERDICT_OK)
			wait_for(r, m, SPACE_MS, false);
		else if (w->delayed)
			store_warned(r->source.store, m, w->entries.v, w->entries.n);
		else
			told(r, m, &w->entries);
		reporter_consider(r, m);
	}
	free(w);
}

static void
commit(struct spool_writer *writer, const struct message *m, uint64_t number, struct writing *w,
    struct span to, struct span content, const struct bounce_result *result)
{
	/* Nobody is told of what becomes of a report (RFC 3461 6.2). */
	struct envelope_recipient recipient = {.address = to, .notify = span_str("NEVER")};
	struct envelope e = {
	    .uid = -1, .from = span_str(""), .recipients = &recipient, .nrecipients = 1};
	struct buf text, entries;
	char of[24];

	snprintf(of, sizeof of, "%" PRIu64, m->number);
	buf_init(&entries, ENVELOPE_ROOM);
	for (size_t i = 0; i < w->entries.n; i++)
		buf_addf(&entries, "%s%" PRIu32, i > 0 ? " " : "", w->entries.v[i]);
	e.bounce_of = span_str(of);
	*(w->delayed ? &e.bounce_delayed : &e.bounce_entries) = buf_span(&entries);
	e.eight_bit = result->eight_bit;
	e.utf8 = result->utf8;
	buf_init(&text, ENVELOPE_MAX);
	if (envelope_format(&e, &text) != 0)
		fatalx("an envelope of one recipient does not fit");
	spool_writer_commit(
	    writer, number, clock_wall_ms(), buf_span(&text), content, on_written, w);
	buf_release(&text);
	buf_release(&entries);
}

static struct writing *
writing_new(struct reporter *r, const struct message *m, bool delayed)
{
	struct writing *w = xcalloc(1, sizeof *w);

	w->reporter = r;
	w->message = m->number;
	w->delayed = delayed;
	return w;
}

/* What to write to, and the report's number; 0: it waits for space. */
static uint64_t
obtain_number(struct reporter *r, struct message *m, struct spool_writer **writer)
{
	uint64_t number = 0;

	*writer = own_writer_for_report(r->own, MESSAGE_INLINE_MAX + ENVELOPE_ROOM);
	if (*writer != NULL)
		number = spool_writer_next_message(*writer);
	if (number == 0)
		wait_for(r, m, SPACE_MS, false);
	return number;
}

static void
log_report(const struct message *m, const char *own, struct span to, const struct writing *w)
{
	char id[SPOOL_ID_SIZE];

	log_info("id=%s bounce=%s to=<%s> kind=%s recipients=%zu",
	    spool_id_format(m->number, id), own, LOG_ADDRESS(to),
	    w->delayed ? "delayed" : "ended", w->entries.n);
}

static void
write_report(struct reporter *r, struct message *m, struct span text, bool delayed)
{
	struct message_report *p = message_report(m);
	struct writing *w = writing_new(r, m, delayed);
	struct spool_writer *writer;
	char own[SPOOL_ID_SIZE];
	struct report_facts facts = {.text = text, .delayed = delayed, .own_id = own};
	uint64_t number = 0, age_ms = clock_mono_ms() - p->since_ms;
	struct buf report;
	struct bounce_result result;

	if (delayed)
		report_collect_delayed(m, &w->entries);
	else if (store_may_tell(r->source.store, m))
		report_collect_ended(&r->source, m, &w->entries);
	else /* more has ended since the text was asked for */
		wait_for(r, m, DURABLE_MS, false);
	if (w->entries.n > 0)
		number = obtain_number(r, m, &writer);
	if (number == 0) {
		free(w);
		return;
	}
	spool_id_format(number, own);
	if (age_ms < RECENT_MS)
		facts.tried = clock_wall() - (int64_t)(age_ms / 1000);
	buf_init(&report, MESSAGE_INLINE_MAX);
	report_compose(&r->source, m, &facts, &w->entries, &report, &result);
	log_report(m, own, report_addressee(&r->source, m), w);
	p->bouncing = true;
	commit(
	    writer, m, number, w, report_addressee(&r->source, m), buf_span(&report), &result);
	buf_release(&report);
}

/* One recipient of a report of ours whose server takes no 8-bit mail gets it in 7 bits. False if there is none. */
static bool
write_seven_bit(struct reporter *r, struct message *m)
{
	struct recipient *to = NULL;
	struct spool_writer *writer;
	struct buf report;
	uint64_t number;

	if (message_bounce_of(m) == 0)
		return false;
	buf_init(&report, MESSAGE_INLINE_MAX);
	for (uint32_t i = 0; to == NULL && i < m->nrecipients; i++)
		if (report_seven_bit(&r->source, message_recipient(m, i), &report) == 0)
			to = message_recipient(m, i);
	if (to != NULL && (number = obtain_number(r, m, &writer)) != 0) {
		struct writing *w = writing_new(r, m, false);
		char own[SPOOL_ID_SIZE];

		w->entries = (struct report_entries){.n = 1, .v = {to->entry}};
		log_report(m, spool_id_format(number, own), span_str(to->address), w);
		message_report(m)->bouncing = true;
		commit(writer, m, number, w, span_str(to->address), buf_span(&report),
		    &(struct bounce_result){.nrecipients = 1});
	}
	buf_release(&report);
	return to != NULL;
}

/* --- the directory --- */

static void
on_text(struct wire_msg *answer, void *arg)
{
	struct question *q = arg;
	struct reporter *r = q->reporter;
	struct message *m = store_find(r->source.store, q->message);
	struct span text = {NULL, 0};

	TAILQ_REMOVE(&r->questions, q, link);
	if (m != NULL) {
		message_report(m)->bouncing = false;
		if (answer != NULL) {
			(void)wire_get(answer, "template", &text);
			write_report(r, m, text, q->delayed);
		} else if (!q->delayed) { /* that one is late is said with the next attempt */
			wait_for(r, m, DIRECTORY_MS, false);
		}
		reporter_consider(r, m); /* what came meanwhile */
	}
	free(q);
}

/* The sender's domain may have a text of its own. */
static void
ask(struct reporter *r, struct message *m, bool delayed)
{
	struct question *q = xcalloc(1, sizeof *q);
	struct wire_out w;

	*q = (struct question){.reporter = r, .message = m->number, .delayed = delayed};
	TAILQ_INSERT_TAIL(&r->questions, q, link);
	message_report(m)->bouncing = true;
	wire_out_init(&w, "bounce-text", peer_next_id(r->directory));
	wire_add_str(&w, "address", m->from);
	wire_add_str(&w, "kind", delayed ? "delayed" : "failed");
	peer_call(r->directory, &w, ASK_MS, on_text, q);
}

/* --- what is to be told --- */

static void
log_silence(const struct recipient *one, enum report_silence why)
{
	char id[SPOOL_ID_SIZE];

	spool_id_format(one->message->number, id);
	if (why == REPORT_NOT_ASKED)
		log_info("id=%s rcpt=%u to=<%s> not told: %s; %s", id, one->entry,
		    LOG_ADDRESS(span_str(one->address)), report_silence_text(why), one->reason);
	else
		log_warnx("id=%s rcpt=%u to=<%s> recorded and dropped: %s; %s", id, one->entry,
		    LOG_ADDRESS(span_str(one->address)), report_silence_text(why), one->reason);
}

/* What ends without anybody being told. */
static void
keep_silence(struct reporter *r, struct message *m)
{
	struct report_entries *silent = xcalloc(1, sizeof *silent);

	do {
		silent->n = 0;
		for (uint32_t i = 0; i < m->nrecipients && silent->n < BOUNCE_RECIPIENTS_MAX;
		     i++) {
			const struct recipient *one = message_recipient(m, i);
			enum report_silence why;

			if (one->state != RECIPIENT_FAILED && one->state != RECIPIENT_TELL)
				continue;
			why = report_silence_of(&r->source, one);
			if (why == REPORT_SPEAK)
				continue;
			silent->v[silent->n++] = i;
			if (one->state == RECIPIENT_FAILED)
				log_silence(one, why);
		}
		if (silent->n > 0)
			told(r, m, silent);
	} while (silent->n == BOUNCE_RECIPIENTS_MAX);
	free(silent);
}

static void
tell(struct reporter *r, struct message *m)
{
	if (m->from[0] == '\0' && message_failed(m) > 0 && store_may_tell(r->source.store, m) &&
	    write_seven_bit(r, m))
		return;
	if (!store_may_tell(r->source.store, m)) {
		wait_for(r, m, DURABLE_MS, false);
		return;
	}
	keep_silence(r, m);
	if (message_failed(m) + message_tell(m) == 0)
		return;
	/* Only what went wrong has texts, and only those who sent something. */
	if (m->from[0] != '\0' && message_failed(m) > 0)
		ask(r, m, false);
	else
		write_report(r, m, span_str(""), false);
}

void
reporter_consider(struct reporter *r, struct message *m)
{
	struct message_report *p = m->report;

	if (r->stopped || message_failed(m) + message_tell(m) == 0 || p->bouncing ||
	    (p->waits && !p->patient))
		return;
	if (p->since_ms == 0)
		p->since_ms = clock_mono_ms();
	if (m->busy == 0) {
		end_waiting(r, p);
		tell(r, m);
	} else if (!p->waits) {
		wait_for(r, m, r->source.config->retry[0], true);
	}
}

void
reporter_warn(struct reporter *r, struct message *m)
{
	struct report_entries *late;

	if (r->stopped || m->from[0] == '\0' ||
	    (m->report != NULL && (m->report->bouncing || m->report->waits)))
		return;
	late = xcalloc(1, sizeof *late);
	report_collect_delayed(m, late);
	if (late->n > 0)
		ask(r, m, true);
	free(late);
}

/* --- life --- */

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct reporter *r = arg;
	struct report_list again = TAILQ_HEAD_INITIALIZER(again);
	uint64_t now = clock_mono_ms(), next = UINT64_MAX;
	struct message_report *p;

	(void)fd, (void)what;
	TAILQ_CONCAT(&again, &r->waiting, link);
	while ((p = TAILQ_FIRST(&again)) != NULL) {
		TAILQ_REMOVE(&again, p, link);
		if (p->due_ms > now) {
			TAILQ_INSERT_TAIL(&r->waiting, p, link);
			next = p->due_ms < next ? p->due_ms : next;
			continue;
		}
		p->waits = p->patient = false;
		if (message_failed(p->message) + message_tell(p->message) > 0)
			tell(r, p->message);
	}
	if (next != UINT64_MAX)
		arm(r, next);
}

struct reporter *
reporter_new(struct event_base *base, const struct report_source *source,
    struct own_writer *own, struct peer *directory)
{
	struct reporter *r = xcalloc(1, sizeof *r);

	r->source = *source;
	r->own = own;
	r->directory = directory;
	r->timer = evtimer_new(base, on_timer, r);
	TAILQ_INIT(&r->waiting);
	TAILQ_INIT(&r->questions);
	return r;
}

void
reporter_set_config(struct reporter *r, const struct config *config)
{
	r->source.config = config;
}

void
reporter_stop(struct reporter *r)
{
	r->stopped = true;
	event_del(r->timer);
}

void
reporter_free(struct reporter **rp)
{
	struct reporter *r = *rp;
	struct message_report *p;
	struct question *q;

	if (r == NULL)
		return;
	*rp = NULL;
	while ((p = TAILQ_FIRST(&r->waiting)) != NULL)
		end_waiting(r, p);
	while ((q = TAILQ_FIRST(&r->questions)) != NULL) {
		TAILQ_REMOVE(&r->questions, q, link);
		free(q);
	}
	event_free(r->timer);
	free(r);
}

void
reporter_on_ready(struct reporter *r)
{
	struct message_report *p;

	TAILQ_FOREACH (p, &r->waiting, link)
		if (!p->patient)
			p->due_ms = 0;
	if (!TAILQ_EMPTY(&r->waiting))
		on_timer(-1, 0, r);
}

void
reporter_forget(struct reporter *r, struct message *m)
{
	if (m->report != NULL)
		end_waiting(r, m->report);
}
