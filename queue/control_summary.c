/*
 * control_summary: the verb summary: the queue by destination, domain or sender domain, and by
 * age, counted by a forked child. Part of control (control_parts.h).
 */
#include <stdlib.h>

#include "common/clock.h"
#include "queue/control_parts.h"
#include "queue/scheduler.h"
#include "queue/store_wishes.h"
#include "queue/summary.h"

#define WINDOW_MIN 10 /* minutes that the forecast looks back */
#define NOTE_MAX   4096

enum by {
	BY_DESTINATION,
	BY_DOMAIN,
	BY_SENDER_DOMAIN,
};

struct summary_question {
	struct control *control;
	const struct queue_filter *filter;
	enum by by;
	uint64_t limit;
};

static const char *
name_of(enum by by, const struct recipient *r)
{
	switch (by) {
	case BY_DOMAIN:
		return queue_filter_domain(r->address);
	case BY_SENDER_DOMAIN:
		return queue_filter_domain(r->message->from);
	case BY_DESTINATION:
		break;
	}
	return queue_filter_destination(r);
}

static void
add_message(const struct summary_question *q, const struct message *m, struct summary *summary)
{
	if (!queue_filter_message(q->filter, m))
		return;
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		const struct recipient *r = message_recipient(m, i);

		if (queue_filter_recipient(q->filter, r))
			summary_add(summary, name_of(q->by, r), r);
	}
}

static void
add_all(const struct summary_question *q, struct summary *summary)
{
	struct store *store = manager_store(q->control->manager);
	const struct message *m;
	size_t at = 0;

	for (size_t i = 0; i < q->filter->nids; i++)
		if ((m = store_find(store, q->filter->ids[i])) != NULL)
			add_message(q, m, summary);
	while (q->filter->nids == 0 && (m = store_next(store, &at)) != NULL)
		add_message(q, m, summary);
}

static void
add_counts(struct wire_out *w, const struct summary_row *row)
{
	wire_add_u64(w, "messages", row->messages);
	wire_add_u64(w, "recipients", row->recipients);
	for (size_t i = 0; i < SUMMARY_AGES; i++)
		wire_add_u64(w, "age", row->ages[i]);
	wire_add_u64(w, "held", row->held);
	wire_add_u64(w, "active", row->active);
	wire_add_u64(w, "oldest", row->recipients > 0 ? (uint64_t)(row->oldest / 1000) : 0);
}

/* What is known of the destination of that name: what it took lately, and what keeps it from taking more. */
static void
add_destination(const struct summary_question *q, const char *name, struct wire_out *w)
{
	const struct scheduler *s = manager_scheduler(q->control->manager);
	const struct pauses *pauses = store_pauses(manager_store(q->control->manager));
	uint64_t now = clock_mono_ms(), delivered = 0;
	struct buf note;

	buf_init(&note, NOTE_MAX);
	for (int i = 0; i < 2 * AGENT_KINDS; i++) {
		const struct destination *d = scheduler_find_destination(
		    s, (enum agent_kind)(i / 2), span_str(name), i % 2 == 1);

		if (d == NULL)
			continue;
		delivered += meter_count(&d->delivered, now, WINDOW_MIN);
		if (note.len == 0)
			scheduler_explain_destination(d, now, clock_wall(), &note);
	}
	wire_add_u64(w, "delivered", delivered);
	if (pauses_has(pauses, PAUSE_DESTINATION, span_str(name)))
		wire_add_str(w, "paused", "yes");
	if (note.len > 0)
		wire_add(w, "note", buf_span(&note));
	buf_release(&note);
}

static void
write_head(const struct summary_question *q, const struct summary *summary, size_t rows,
    struct wire_out *w)
{
	uint64_t uptime = (uint64_t)(clock_wall() - q->control->started);

	wire_add_u64(w, "rows", rows);
	/* What happened in the first seconds of a process says nothing about an hour. */
	if (q->by == BY_DESTINATION)
		wire_add_u64(w, "window",
		    uptime < 60		       ? 60
		    : uptime < WINDOW_MIN * 60 ? uptime
					       : WINDOW_MIN * 60);
	add_counts(w, summary_total(summary));
}

static void
write_summary(struct snapshot_out *out, void *arg)
{
	const struct summary_question *q = arg;
	struct summary *summary = summary_new(clock_wall_ms());
	struct summary_row **rows;
	size_t n;

	add_all(q, summary);
	rows = summary_sorted(summary, &n);
	write_head(q, summary, n, snapshot_part(out));
	for (size_t i = 0; i < n && i < q->limit; i++) {
		struct wire_out *w = snapshot_part(out);

		wire_add_str(w, "name", rows[i]->name);
		add_counts(w, rows[i]);
		if (q->by == BY_DESTINATION)
			add_destination(q, rows[i]->name, w);
	}
	summary_free(&summary);
}

static int
parse_by(const struct wire_msg *m, enum by *by)
{
	static const char *const names[] = {[BY_DESTINATION] = "destination",
	    [BY_DOMAIN] = "domain",
	    [BY_SENDER_DOMAIN] = "sender-domain"};
	struct span name;
	int i;

	*by = BY_DESTINATION;
	if (wire_get(m, "by", &name) != 0)
		return 0;
	i = span_among(name, names, sizeof names / sizeof *names);
	if (i < 0)
		return -1;
	*by = (enum by)i;
	return 0;
}

void
control_summary(const struct control_request *r)
{
	struct summary_question q = {
	    .control = r->control, .filter = r->filter, .limit = UINT64_MAX};

	(void)wire_get_u64(r->msg, "limit", UINT64_MAX, &q.limit);
	if (parse_by(r->msg, &q.by) != 0)
		control_refuse(
		    r, CONTROL_WRONG, "--by wants destination, domain or sender-domain");
	else
		control_answer_snapshot(r, write_summary, &q);
}
