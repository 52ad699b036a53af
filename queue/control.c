/*
 * control: the administrator's view of the queue: the table of verbs. See control.h;
 * each verb is in a control_*.c. Invariant: nothing here takes longer than a slice of the
 * loop's time, however long the queue is: what may be long is a forked child's (snapshot) or done in
 * slices (control_act).
 */
#include "queue/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/control_parts.h"
#include "queue/spool_record.h"

#define WHY_MAX 4096

static const struct snapshot_limits snapshot_limits = {
    .children = 4, .stall = 60, .limit = 600};

struct control *
control_new(struct event_base *base, struct manager *manager, struct intake *intake)
{
	struct control *c = xcalloc(1, sizeof *c);

	c->base = base;
	c->manager = manager;
	c->intake = intake;
	c->snapshots = snapshot_set_new(base, &snapshot_limits);
	c->acts = control_acts_new(c);
	c->promises = control_promises_new(c);
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
	control_acts_free(&c->acts);
	control_promises_free(&c->promises);
	snapshot_set_free(&c->snapshots);
	free(c);
}

void
control_answer_begin(struct wire_out *w, const struct wire_msg *m)
{
	struct verdict v;

	client_answer_init(w, m);
	verdict_set_text(&v, VERDICT_OK, 0, "2.0.0", "Done");
	wire_add_verdict(w, &v);
}

void
control_refuse(const struct control_request *r, enum control_no no, const char *fmt, ...)
{
	static const char *const statuses[] = {[CONTROL_WRONG] = "5.5.4",
	    [CONTROL_UNKNOWN] = "5.1.1",
	    [CONTROL_BUSY] = "4.3.2",
	    [CONTROL_CANNOT] = "4.3.0"};

	struct wire_out w;
	struct verdict v;
	struct buf text;
	va_list ap;

	buf_init(&text, WHY_MAX);
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	client_answer_init(&w, r->msg);
	verdict_set(&v, statuses[no][0] == '4' ? VERDICT_TEMPORARY : VERDICT_PERMANENT, 0,
	    statuses[no], "%s", buf_str(&text));
	wire_add_verdict(&w, &v);
	client_send(r->client, &w, -1);
	buf_release(&text);
}

void
control_refuse_snapshot(const struct control_request *r)
{
	if (errno == EAGAIN) {
		control_refuse(r, CONTROL_BUSY,
		    "The queue manager is answering other long questions; ask again");
		return;
	}
	log_warn("control: cannot fork");
	control_refuse(r, CONTROL_CANNOT, "The queue manager cannot fork a process to answer");
}

void
control_answer_snapshot(const struct control_request *r, snapshot_write_fn *write_fn, void *arg)
{
	int fd = snapshot_begin(r->control->snapshots, write_fn, arg);
	struct wire_out w;

	if (fd < 0) {
		control_refuse_snapshot(r);
		return;
	}
	control_answer_begin(&w, r->msg);
	client_send(r->client, &w, fd);
}

struct message *
control_named_message(const struct control_request *r)
{
	struct message *m = NULL;
	struct span id = {"", 0};
	uint64_t number;

	(void)wire_get(r->msg, "message", &id);
	if (spool_id_parse(id, &number) == 0)
		m = store_find(manager_store(r->control->manager), number);
	if (m == NULL)
		control_refuse(r, CONTROL_UNKNOWN, "%.*s: no such message in the queue",
		    SPAN_ARG(span_first(id, 100)));
	return m;
}

/* The fields a verb takes besides filters. */
static const char *const message_fields[] = {"message", NULL};
static const char *const list_fields[] = {"limit", "sort", NULL};
static const char *const summary_fields[] = {"by", "limit", NULL};
static const char *const act_fields[] = {"all", "dry-run", "bounce", "note", NULL};
static const char *const pause_fields[] = {"destination", "sender-domain", "all", NULL};
static const char *const no_fields[] = {NULL};

static const struct {
	const char *verb;
	void (*run)(const struct control_request *r);
	const char *const *others;
} verbs[] = {
    {"list", control_list, list_fields},
    {"show", control_show, message_fields},
    {"cat", control_cat, message_fields},
    {"summary", control_summary, summary_fields},
    {"retry", control_act, act_fields},
    {"hold", control_act, act_fields},
    {"release", control_act, act_fields},
    {"requeue", control_act, act_fields},
    {"remove", control_act, act_fields},
    {"pause", control_pause, pause_fields},
    {"resume", control_resume, pause_fields},
    {"paused", control_paused, no_fields},
    {"status", control_status, no_fields},
};

static void
on_message(struct client *cl, struct wire_msg *m, void *arg)
{
	struct queue_filter f;
	struct control_request r = {arg, cl, m, &f};
	struct buf why;

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (!span_is(m->verb, verbs[i].verb))
			continue;
		buf_init(&why, WHY_MAX);
		if (queue_filter_parse(&f, m, clock_wall_ms(), verbs[i].others, &why) != 0)
			control_refuse(&r, CONTROL_WRONG, "%s", buf_str(&why));
		else
			verbs[i].run(&r);
		queue_filter_release(&f);
		buf_release(&why);
		return;
	}
	client_drop(cl, "a message that is not understood");
}

static void
on_down(struct client *cl, void *arg)
{
	struct control *c = arg;

	control_acts_forget(c->acts, cl);
	control_promises_forget(c->promises, cl);
}

static const struct service_ops service_ops = {.on_message = on_message, .on_down = on_down};

void
control_listen(struct control *c, int fd, const char *name)
{
	service_free(&c->service);
	c->service = service_new(c->base, fd, name, (uid_t)-1, &service_ops, c);
}
