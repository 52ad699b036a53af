/*
 * control_list: the verbs list and show: messages and their recipients, as groups of fields,
 * written by a forked child. Part of control (control_parts.h).
 */
#include <stdlib.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/xalloc.h"
#include "queue/control_parts.h"
#include "queue/scheduler.h"
#include "queue/spool_envelope.h"
#include "queue/spool_record.h"

#define WHY_MAX 4096

enum sort {
	SORT_AGE,  /* the oldest first */
	SORT_SIZE, /* the largest first */
	SORT_NEXT, /* the one tried soonest first */
};

struct listing_question {
	struct control *control;
	const struct queue_filter *filter;
	enum sort sort;
	uint64_t limit;
};

struct found {
	int64_t key; /* the smallest comes first */
	const struct message *message;
};

struct found_list {
	struct found *v;
	size_t n, cap;
	uint64_t recipients;
};

/* When a recipient is tried next, in seconds since 1970; 0: as soon as may be, or under way; INT64_MAX: nobody knows. */
static int64_t
next_of(const struct recipient *r)
{
	uint64_t in;

	if (r->state == RECIPIENT_DEFERRED)
		return r->next;
	if (r->state <= RECIPIENT_ACTIVE)
		return 0;
	in = scheduler_next_time(r, clock_mono_ms());
	return in == UINT64_MAX ? INT64_MAX : in == 0 ? 0 : clock_wall() + (int64_t)(in / 1000);
}

/* When the message is, by its recipients that fit. */
static int64_t
next_time(const struct queue_filter *f, const struct message *m)
{
	int64_t next = INT64_MAX;

	for (uint32_t i = 0; i < m->nrecipients; i++) {
		const struct recipient *r = message_recipient(m, i);

		if (queue_filter_recipient(f, r) && next_of(r) < next)
			next = next_of(r);
	}
	return next;
}

static int64_t
key_of(const struct listing_question *q, const struct message *m)
{
	switch (q->sort) {
	case SORT_SIZE:
		return -(int64_t)m->content_len;
	case SORT_NEXT:
		return next_time(q->filter, m);
	case SORT_AGE:
		break;
	}
	return m->received;
}

/* Takes the message if it is meant. */
static void
consider(const struct listing_question *q, const struct message *m, struct found_list *l)
{
	uint64_t n = 0;

	if (!queue_filter_message(q->filter, m))
		return;
	for (uint32_t i = 0; i < m->nrecipients; i++)
		n += queue_filter_recipient(q->filter, message_recipient(m, i));
	if (n == 0)
		return;
	if (l->n == l->cap) {
		l->cap = l->cap > 0 ? l->cap * 2 : 1024;
		l->v = xreallocarray(l->v, l->cap, sizeof *l->v);
	}
	l->v[l->n++] = (struct found){key_of(q, m), m};
	l->recipients += n;
}

static int
compare(const void *pa, const void *pb)
{
	const struct found *a = pa, *b = pb;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->message->number < b->message->number	 ? -1
	       : a->message->number > b->message->number ? 1
							 : 0;
}

static void
add_unknown(struct snapshot_out *out, uint64_t number)
{
	char id[SPOOL_ID_SIZE];

	wire_add_str(snapshot_part(out), "unknown", spool_id_format(number, id));
}

static void
find_all(const struct listing_question *q, struct snapshot_out *out, struct found_list *l)
{
	struct store *store = manager_store(q->control->manager);
	const struct message *m;
	size_t at = 0;

	for (size_t i = 0; i < q->filter->nids; i++) {
		m = store_find(store, q->filter->ids[i]);
		if (m != NULL)
			consider(q, m, l);
		else
			add_unknown(out, q->filter->ids[i]);
	}
	while (q->filter->nids == 0 && (m = store_next(store, &at)) != NULL)
		consider(q, m, l);
	if (l->n > 1)
		qsort(l->v, l->n, sizeof *l->v, compare);
}

static void
add_head(struct wire_out *w, const struct message *m)
{
	char id[SPOOL_ID_SIZE];

	wire_add_str(w, "message", spool_id_format(m->number, id));
	wire_add_str(w, "from", m->from);
	wire_add_u64(w, "size", m->content_len);
	wire_add_u64(w, "received", (uint64_t)(m->received / 1000));
}

static void
add_recipient(const struct control *c, struct wire_out *w, const struct recipient *r)
{
	int64_t next = next_of(r);
	enum pause_kind kind;
	const char *paused = control_pause_of(c, r, &kind);
	struct verdict v;

	wire_add_u64(w, "rcpt", r->entry);
	wire_add_str(w, "address", r->address);
	wire_add_str(w, "state", recipient_state_name((enum recipient_state)r->state));
	wire_add_u64(w, "attempts", r->attempts);
	wire_add_u64(w, "next", next < INT64_MAX ? (uint64_t)next : 0);
	wire_add_str(w, "destination", queue_filter_destination(r));
	if (r->state == RECIPIENT_DEFERRED && recipient_release(r) > clock_wall())
		wire_add_str(w, "future", "yes");
	if (paused != NULL)
		wire_addf(w, "paused", "%s %s", control_pause_name(kind),
		    paused[0] != '\0' ? paused : "<>");
	if (r->reason == NULL)
		return;
	recipient_get_reason(r, &v);
	wire_add_u64(w, "code", (uint64_t)v.code);
	wire_add_str(w, "status", v.status);
	wire_add_str(w, "text", v.text);
	wire_add_str(w, "mta", r->mta != NULL ? r->mta : "");
}

/* The part for the message's next recipient: a message that outgrows a part goes on in the next one. */
static struct wire_out *
part_of(struct snapshot_out *out, const struct message *m)
{
	bool full = snapshot_part_size(out) > SNAPSHOT_PART_FULL;
	struct wire_out *w = snapshot_part(out);

	if (full) {
		add_head(w, m);
		wire_add_str(w, "continued", "yes");
	}
	return w;
}

static void
write_list(struct snapshot_out *out, void *arg)
{
	const struct listing_question *q = arg;
	struct found_list l = {NULL, 0, 0, 0};
	struct wire_out *w;

	find_all(q, out, &l);
	w = snapshot_part(out);
	wire_add_u64(w, "messages", l.n);
	wire_add_u64(w, "recipients", l.recipients);
	for (size_t i = 0; i < l.n && i < q->limit; i++) {
		const struct message *m = l.v[i].message;

		add_head(snapshot_part(out), m);
		for (uint32_t k = 0; k < m->nrecipients; k++)
			if (queue_filter_recipient(q->filter, message_recipient(m, k)))
				add_recipient(
				    q->control, part_of(out, m), message_recipient(m, k));
	}
	if (l.n > q->limit)
		wire_add_str(snapshot_end(out), "more", "yes");
	free(l.v);
}

static int
parse_sort(const struct wire_msg *m, enum sort *sort)
{
	static const char *const names[] = {
	    [SORT_AGE] = "age", [SORT_SIZE] = "size", [SORT_NEXT] = "next"};
	struct span name;
	int i;

	*sort = SORT_AGE;
	if (wire_get(m, "sort", &name) != 0)
		return 0;
	i = span_among(name, names, sizeof names / sizeof *names);
	if (i < 0)
		return -1;
	*sort = (enum sort)i;
	return 0;
}

void
control_list(const struct control_request *r)
{
	struct listing_question q = {
	    .control = r->control, .filter = r->filter, .limit = UINT64_MAX};

	(void)wire_get_u64(r->msg, "limit", UINT64_MAX, &q.limit);
	if (parse_sort(r->msg, &q.sort) != 0)
		control_refuse(r, CONTROL_WRONG, "--sort wants age, size or next");
	else
		control_answer_snapshot(r, write_list, &q);
}

struct show_question {
	struct control *control;
	const struct message *message;
	const struct envelope *envelope;
};

static void
add_origin(struct wire_out *w, const struct envelope *e)
{
	wire_add_unless_empty(w, "client", e->client);
	wire_add_unless_empty(w, "helo", e->helo);
	wire_add_unless_empty(w, "auth", e->auth);
	if (e->uid >= 0)
		wire_add_u64(w, "uid", (uint64_t)e->uid);
	wire_add_unless_empty(w, "envid", e->envid);
	wire_add_unless_empty(w, "ret", e->ret);
}

static void
add_why(struct wire_out *w, const struct recipient *r)
{
	struct buf why;

	buf_init(&why, WHY_MAX);
	scheduler_explain(r, clock_mono_ms(), clock_wall(), &why);
	if (why.len > 0)
		wire_add(w, "why", buf_span(&why));
	buf_release(&why);
}

static void
write_message(struct snapshot_out *out, void *arg)
{
	const struct show_question *q = arg;
	const struct message *m = q->message;
	const struct envelope *e = q->envelope;
	struct wire_out *w = snapshot_part(out);

	add_head(w, m);
	add_origin(w, e);
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		const struct recipient *r = message_recipient(m, i);

		w = part_of(out, m);
		add_recipient(q->control, w, r);
		add_why(w, r);
		if (r->kind != RECIPIENT_GIVEN)
			wire_add_u64(w, "parent", r->parent);
		if (i >= e->nrecipients || i >= m->given)
			continue;
		wire_add_unless_empty(w, "notify", e->recipients[i].notify);
		wire_add_unless_empty(w, "orcpt", e->recipients[i].orcpt);
	}
}

void
control_show(const struct control_request *r)
{
	const struct message *m = control_named_message(r);
	struct envelope e = {.uid = -1};
	struct buf text;
	struct show_question q = {r->control, m, &e};

	if (m == NULL)
		return;
	buf_init(&text, ENVELOPE_MAX);
	/* One that cannot be read leaves out what only it knows. */
	if (store_read_envelope(manager_store(r->control->manager), m, &text) != 0 ||
	    envelope_parse(buf_span(&text), &e) != 0)
		e = (struct envelope){.uid = -1};
	control_answer_snapshot(r, write_message, &q);
	envelope_release(&e);
	buf_release(&text);
}
