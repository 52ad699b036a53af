/* control: the administrator's view of the queue. See control.h. */
#include "queue/control.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/service.h"
#include "common/xalloc.h"
#include "queue/queue_filter.h"
#include "queue/spool_envelope.h"
#include "queue/spool_record.h"

#define LIST_LIMIT_MAX 100000
#define ANSWER_ENOUGH                                                                          \
	(WIRE_TEXT_MAX - 65536) /* a list that has grown to this ends with more=yes */
#define DESTINATIONS_MAX 1000

struct control {
	struct event_base *base;
	struct manager *manager;
	struct intake *intake;
	struct service *service;
	int64_t started;
};

struct control *
control_new(struct event_base *base, struct manager *manager, struct intake *intake)
{
	struct control *c = xcalloc(1, sizeof *c);

	c->base = base;
	c->manager = manager;
	c->intake = intake;
	c->started = clock_wall();
	return c;
}

void
control_free(struct control **cp)
{
	struct control *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	service_free(&c->service);
	free(c);
}

static void
add_recipient(struct wire_out *w, const struct recipient *r)
{
	struct verdict v;

	wire_add_u64(w, "rcpt", r->entry);
	wire_add_str(w, "address", r->address);
	wire_add_str(w, "state", recipient_state_name((enum recipient_state)r->state));
	wire_add_u64(w, "attempts", r->attempts);
	wire_add_u64(w, "next", r->state == RECIPIENT_DEFERRED ? (uint64_t)r->next : 0);
	if (r->reason == NULL)
		return;
	recipient_get_reason(r, &v);
	wire_add_u64(w, "code", (uint64_t)v.code);
	wire_add_str(w, "status", v.status);
	wire_add_str(w, "text", v.text);
	wire_add_str(w, "mta", r->mta != NULL ? r->mta : "");
}

static void
add_message(struct wire_out *w, const struct message *m, bool all)
{
	char id[SPOOL_ID_SIZE];

	wire_add_str(w, "message", spool_id_format(m->number, id));
	wire_add_str(w, "from", m->from);
	wire_add_u64(w, "size", m->content_len);
	wire_add_u64(w, "received", (uint64_t)(m->received / 1000));
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		const struct recipient *r = message_recipient(m, i);

		if (!all && r->state == RECIPIENT_SETTLED)
			continue;
		if (w->text.len > ANSWER_ENOUGH) {
			wire_add_str(w, "more", "yes");
			break;
		}
		add_recipient(w, r);
	}
}

static void
answer_refused(struct client *c, const struct wire_msg *m, const char *text)
{
	struct wire_out w;
	struct verdict v;

	client_answer_init(&w, m);
	verdict_set(&v, VERDICT_PERMANENT, 0, "5.5.4", "%s", text);
	wire_add_verdict(&w, &v);
	client_send(c, &w, -1);
}

static void
begin_answer(struct wire_out *w, const struct wire_msg *m)
{
	struct verdict v;

	client_answer_init(w, m);
	verdict_set(&v, VERDICT_OK, 0, "2.0.0", "Done");
	wire_add_verdict(w, &v);
}

static void
run_list(struct control *c, struct client *cl, struct wire_msg *m, const struct queue_filter *f)
{
	uint64_t limit = LIST_LIMIT_MAX, n = 0;
	const struct message *msg;
	struct wire_out w;
	size_t at = 0;

	(void)wire_get_u64(m, "limit", LIST_LIMIT_MAX, &limit);
	begin_answer(&w, m);
	while ((msg = store_next(manager_store(c->manager), &at)) != NULL) {
		if (!queue_filter_message(f, msg))
			continue;
		if (n++ >= limit || w.text.len > ANSWER_ENOUGH) {
			wire_add_str(&w, "more", "yes");
			break;
		}
		add_message(&w, msg, false);
	}
	client_send(cl, &w, -1);
}

static struct message *
named_message(struct control *c, const struct wire_msg *m)
{
	struct span id;
	uint64_t number;

	if (wire_get(m, "message", &id) != 0 || spool_id_parse(id, &number) != 0)
		return NULL;
	return store_find(manager_store(c->manager), number);
}

static void
run_show(struct control *c, struct client *cl, struct wire_msg *m, const struct queue_filter *f)
{
	const struct message *msg = named_message(c, m);
	struct wire_out w;

	(void)f;
	if (msg == NULL) {
		answer_refused(cl, m, "No such message in the queue");
		return;
	}
	begin_answer(&w, m);
	add_message(&w, msg, true);
	client_send(cl, &w, -1);
}

static void
add_envelope(struct wire_out *w, struct store *store, const struct message *msg)
{
	struct envelope e;
	struct buf text;

	buf_init(&text, ENVELOPE_MAX);
	if (store_read_envelope(store, msg, &text) == 0 &&
	    envelope_parse(buf_span(&text), &e) == 0) {
		wire_add(w, "from", e.from);
		wire_add(w, "client", e.client);
		wire_add(w, "helo", e.helo);
		if (e.uid >= 0)
			wire_add_u64(w, "uid", (uint64_t)e.uid);
		for (size_t i = 0; i < e.nrecipients; i++)
			wire_add(w, "recipient", e.recipients[i].address);
		envelope_release(&e);
	}
	buf_release(&text);
}

static void
run_cat(struct control *c, struct client *cl, struct wire_msg *m, const struct queue_filter *f)
{
	struct store *store = manager_store(c->manager);
	const struct message *msg = named_message(c, m);
	struct wire_out w;
	int fd;

	(void)f;
	fd = msg != NULL ? segment_pool_read_fd(store_pool(store), msg->segment) : -1;
	if (fd < 0) {
		answer_refused(cl, m,
		    msg != NULL ? "The message cannot be read"
				: "No such message in the queue");
		return;
	}
	begin_answer(&w, m);
	add_envelope(&w, store, msg);
	wire_add_u64(&w, "offset", store_content_offset(msg));
	wire_add_u64(&w, "size", msg->content_len);
	client_send(cl, &w, fd);
}

/* Calls act for each matching recipient; returns how many it acted on. */
static uint64_t
for_matching(struct control *c, const struct queue_filter *f,
    bool (*act)(struct manager *m, struct recipient *r))
{
	struct message *msg;
	uint64_t n = 0;
	size_t at = 0;

	while ((msg = store_next(manager_store(c->manager), &at)) != NULL) {
		if (!queue_filter_message(f, msg))
			continue;
		for (uint32_t i = 0; i < msg->nrecipients; i++) {
			struct recipient *r = message_recipient(msg, i);

			if (queue_filter_recipient(f, r) && act(c->manager, r))
				n++;
		}
	}
	return n;
}

static void
run_act(struct control *c, struct client *cl, struct wire_msg *m, const struct queue_filter *f,
    bool (*act)(struct manager *m, struct recipient *r))
{
	struct wire_out w;
	uint64_t n;

	n = for_matching(c, f, act);
	store_flush(manager_store(c->manager));
	begin_answer(&w, m);
	wire_add_u64(&w, "count", n);
	client_send(cl, &w, -1);
	if (n > 0)
		log_info("control: %.*s of %llu recipients by uid %d", SPAN_ARG(m->verb),
		    (unsigned long long)n, (int)client_uid(cl));
}

static void
run_retry(
    struct control *c, struct client *cl, struct wire_msg *m, const struct queue_filter *f)
{
	run_act(c, cl, m, f, manager_retry);
}

static void
run_remove(
    struct control *c, struct client *cl, struct wire_msg *m, const struct queue_filter *f)
{
	run_act(c, cl, m, f, wire_is_yes(m, "bounce") ? manager_fail : manager_remove);
}

static void
add_destinations(struct wire_out *w, struct scheduler *s)
{
	const struct destination *d;
	size_t at = 0, n = 0;

	while ((d = scheduler_next_destination(s, &at)) != NULL && n++ < DESTINATIONS_MAX) {
		wire_add_str(w, "destination", d->name + 1);
		wire_add_str(w, "agent", d->kind == AGENT_LOCAL ? "local" : "remote");
		wire_add_u64(w, "waiting", d->nwaiting);
		wire_add_u64(w, "active", d->active);
	}
}

static void
run_status(
    struct control *c, struct client *cl, struct wire_msg *m, const struct queue_filter *f)
{
	struct store *store = manager_store(c->manager);
	struct scheduler *s = manager_scheduler(c->manager);
	struct agents *a = manager_agents(c->manager);
	const struct store_counts *n = store_counts(store);
	struct intake_counts in = intake_counts(c->intake);
	struct wire_out w;

	(void)f;
	begin_answer(&w, m);
	wire_add_u64(&w, "uptime", (uint64_t)(clock_wall() - c->started));
	wire_add_str(&w, "room", store_has_room(store) ? "yes" : "no");
	wire_add_u64(&w, "messages", n->messages);
	wire_add_u64(&w, "recipients", n->recipients);
	wire_add_u64(&w, "deferred", scheduler_count_deferred(s));
	wire_add_u64(&w, "due", scheduler_count_due(s));
	wire_add_u64(&w, "accepted", n->accepted);
	wire_add_u64(&w, "delivered", n->delivered);
	wire_add_u64(&w, "failed", n->failed);
	wire_add_u64(&w, "damaged", n->damaged);
	wire_add_u64(&w, "local-agents", agents_count(a, AGENT_LOCAL));
	wire_add_u64(&w, "local-jobs", agents_jobs(a, AGENT_LOCAL));
	wire_add_u64(&w, "remote-agents", agents_count(a, AGENT_REMOTE));
	wire_add_u64(&w, "remote-jobs", agents_jobs(a, AGENT_REMOTE));
	wire_add_u64(&w, "workers", in.workers);
	wire_add_u64(&w, "connections", in.connections);
	add_destinations(&w, s);
	client_send(cl, &w, -1);
}

static const struct {
	const char *verb;
	void (*run)(
	    struct control *, struct client *, struct wire_msg *, const struct queue_filter *);
} verbs[] = {
    {"list", run_list},
    {"show", run_show},
    {"cat", run_cat},
    {"retry", run_retry},
    {"remove", run_remove},
    {"status", run_status},
};

static void
on_message(struct client *cl, struct wire_msg *m, void *arg)
{
	struct queue_filter f;

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (!span_is(m->verb, verbs[i].verb))
			continue;
		if (queue_filter_parse(m, &f) != 0)
			answer_refused(cl, m, "A filter is malformed: id= takes a message id");
		else
			verbs[i].run(arg, cl, m, &f);
		return;
	}
	client_drop(cl, "a message that is not understood");
}

static const struct service_ops service_ops = {.on_message = on_message};

void
control_listen(struct control *c, int fd, const char *name)
{
	service_free(&c->service);
	c->service = service_new(c->base, fd, name, (uid_t)-1, &service_ops, c);
}
