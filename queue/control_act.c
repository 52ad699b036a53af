/*
 * control_act: the verbs that change many recipients: retry, remove, … Part of control
 * (control_parts.h).
 *
 * Which recipients are meant is found out by a forked child (or they are named by id); what it
 * names is acted on here, a slice of a few milliseconds at a time, so that mail goes on being taken and
 * delivered. The answer is sent when what was done is on disk. A client that goes away ends its act where it
 * stands: what was done stays done.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "common/channel.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/control_parts.h"
#include "queue/spool_record.h"

#define SLICE_MS       5
#define STEPS_A_LOOK   8 /* at the clock */
#define TURN_US	       1000
#define ROUND_US       20000
#define ROUNDS_MAX     50
#define PROGRESS_MS    1000
#define ENTRY_ALL      UINT32_MAX
#define ACTS_MAX       64
#define NOTE_MAX       200
#define UNKNOWN_OCTETS (1U << 20)

struct action {
	const char *verb;
	bool bounce;
	bool patient; /* one that is being resolved is waited for: that takes milliseconds */
	/* Is there something to do about a recipient in this state? */
	bool (*could)(const struct recipient *r);
	/* Does it; false if that is not possible now. */
	bool (*act)(struct manager *m, struct recipient *r);
};

struct target {
	uint64_t message;
	uint32_t entry; /* ENTRY_ALL: all that fit the filter */
};

struct targets {
	struct target *v;
	size_t n, cap;
};

struct act {
	LIST_ENTRY(act) link;
	struct control *control;
	const struct action *action;
	struct client *client;
	uint64_t id; /* of the request */
	struct queue_filter filter;
	struct channel
	    *source; /* a child that names targets; NULL: there are no more to come */
	struct event *turn;
	struct targets targets, later; /* later: being resolved when it was their turn */
	size_t at;
	unsigned rounds;   /* through later */
	uint32_t entry_at; /* in a target that means all entries */
	bool cut;	   /* the child did not come to its end */
	uint64_t progress_at;
	uint64_t messages, recipients, last;
	struct wire_out answer;
	char *note; /* what the log says of it besides, NULL: nothing */
};

struct control_acts {
	struct control *control;
	LIST_HEAD(, act) list;
	unsigned n;
};

struct control_acts *
control_acts_new(struct control *c)
{
	struct control_acts *a = xcalloc(1, sizeof *a);

	a->control = c;
	LIST_INIT(&a->list);
	return a;
}

static void
act_free(struct act *a)
{
	LIST_REMOVE(a, link);
	a->control->acts->n--;
	channel_free(&a->source);
	event_free(a->turn);
	queue_filter_release(&a->filter);
	wire_out_release(&a->answer);
	free(a->targets.v);
	free(a->later.v);
	free(a->note);
	free(a);
}

void
control_acts_free(struct control_acts **ap)
{
	struct control_acts *a = *ap;

	if (a == NULL)
		return;
	*ap = NULL;
	while (!LIST_EMPTY(&a->list))
		act_free(LIST_FIRST(&a->list));
	free(a);
}

static void
log_done(const struct act *a, const char *how)
{
	if (a->recipients > 0)
		log_info("control: %s%s of %" PRIu64 " recipients in %" PRIu64
			 " messages by uid %d%s%s%s",
		    a->action->verb, a->action->bounce ? " with bounce" : "", a->recipients,
		    a->messages, (int)client_uid(a->client), how, a->note != NULL ? ": " : "",
		    a->note != NULL ? a->note : "");
}

void
control_acts_forget(struct control_acts *acts, const struct client *client)
{
	struct act *a, *next;

	for (a = LIST_FIRST(&acts->list); a != NULL; a = next) {
		next = LIST_NEXT(a, link);
		if (a->client != client)
			continue;
		log_done(a, ", who then went away");
		act_free(a);
	}
}

static void
arm(struct act *a, long us)
{
	event_add(a->turn, &(struct timeval){0, us});
}

/* Which recipients: in a forked child, or here for what ids name */

/* Does it wait for the time that its sender wants it released (RFC 4865)? */
static bool
is_future(const struct recipient *r)
{
	return r->state == RECIPIENT_DEFERRED && recipient_release(r) > clock_wall();
}

/* A flush of the queue is no reason to send what is to wait. */
static bool
may_retry(const struct recipient *r)
{
	return (r->state == RECIPIENT_DEFERRED && !is_future(r)) ||
	       r->state == RECIPIENT_PARKED;
}

static bool
may_hold(const struct recipient *r)
{
	return !r->held && r->state < RECIPIENT_HELD;
}

static bool
may_release(const struct recipient *r)
{
	return r->held || is_future(r);
}

/* Is nothing under way, but for a question to the directory? */
static bool
is_idle(const struct recipient *r)
{
	return r->state == RECIPIENT_HELD || r->state == RECIPIENT_RESOLVING ||
	       scheduler_has(r);
}

static const struct action actions[] = {
    {"retry", false, false, may_retry, manager_retry},
    {"hold", false, false, may_hold, manager_hold},
    {"release", false, false, may_release, manager_release},
    {"requeue", false, true, is_idle, manager_requeue},
    {"remove", false, true, is_idle, manager_remove},
    {"remove", true, true, is_idle, manager_fail},
};

struct selection {
	struct control *control;
	const struct queue_filter *filter;
	const struct action *action;
	bool count_only;
	struct snapshot_out *out;
	uint64_t messages, recipients;
};

static void
select_message(struct selection *s, const struct message *m)
{
	char id[SPOOL_ID_SIZE];
	uint64_t n = 0;

	if (!queue_filter_message(s->filter, m))
		return;
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		const struct recipient *r = message_recipient(m, i);
		bool again = snapshot_part_size(s->out) > SNAPSHOT_PART_FULL;
		struct wire_out *w;

		if (!queue_filter_recipient(s->filter, r) || !s->action->could(r))
			continue;
		if (s->count_only) {
			n++;
			continue;
		}
		w = snapshot_part(s->out);
		if (n++ == 0 || again)
			wire_add_str(w, "message", spool_id_format(m->number, id));
		wire_add_u64(w, "rcpt", r->entry);
	}
	s->messages += n > 0;
	s->recipients += n;
}

static void
write_selection(struct snapshot_out *out, void *arg)
{
	struct selection *s = arg;
	struct store *store = manager_store(s->control->manager);
	const struct message *m;
	size_t at = 0;

	s->out = out;
	for (size_t i = 0; i < s->filter->nids; i++)
		if ((m = store_find(store, s->filter->ids[i])) != NULL)
			select_message(s, m);
	while (s->filter->nids == 0 && (m = store_next(store, &at)) != NULL)
		select_message(s, m);
	wire_add_u64(snapshot_end(out), "messages", s->messages);
	wire_add_u64(snapshot_end(out), "recipients", s->recipients);
}

/* Acting */

static void
add_target(struct targets *t, uint64_t message, uint32_t entry)
{
	if (t->n == t->cap) {
		t->cap = t->cap > 0 ? t->cap * 2 : 64;
		t->v = xreallocarray(t->v, t->cap, sizeof *t->v);
	}
	t->v[t->n++] = (struct target){message, entry};
}

static void
act_on(struct act *a, struct recipient *r)
{
	uint64_t number = r->message->number;

	if (a->action->patient && r->state == RECIPIENT_RESOLVING) {
		add_target(&a->later, number, r->entry);
		return;
	}
	if (!a->action->could(r) || !a->action->act(a->control->manager, r))
		return;
	a->recipients++;
	a->messages += number != a->last;
	a->last = number;
}

static void
add_unknown(struct act *a, uint64_t number)
{
	char id[SPOOL_ID_SIZE];

	if (a->answer.text.len < UNKNOWN_OCTETS)
		wire_add_str(&a->answer, "unknown", spool_id_format(number, id));
}

/* One recipient further. */
static void
step(struct act *a)
{
	const struct target *t = &a->targets.v[a->at];
	struct message *m = store_find(manager_store(a->control->manager), t->message);
	struct recipient *r;

	if (m == NULL) {
		if (t->entry == ENTRY_ALL && a->entry_at == 0)
			add_unknown(a, t->message);
		a->at++;
		a->entry_at = 0;
		return;
	}
	if (t->entry != ENTRY_ALL) {
		r = message_recipient(m, t->entry);
		a->at++;
		if (r != NULL)
			act_on(a, r);
		return;
	}
	r = queue_filter_message(&a->filter, m) ? message_recipient(m, a->entry_at) : NULL;
	a->entry_at++;
	if (r == NULL) {
		a->at++;
		a->entry_at = 0;
	} else if (queue_filter_recipient(&a->filter, r)) {
		act_on(a, r);
	}
}

/* All is done. */
static void
finish(struct act *a)
{
	struct verdict v;

	wire_add_u64(&a->answer, "messages", a->messages);
	wire_add_u64(&a->answer, "recipients", a->recipients);
	log_done(a, a->cut ? ", cut" : "");
	if (a->cut) {
		verdict_set(&v, VERDICT_TEMPORARY, 0, "4.3.0",
		    "The search came to no end; what it found until then is done");
		wire_add_verdict(&a->answer, &v);
		client_send(a->client, &a->answer, -1);
	} else {
		control_promise(a->control, a->client, &a->answer);
	}
	act_free(a);
}

/* The client, who waits for no more than half a minute of silence, hears that it goes on. */
static void
say_progress(struct act *a, uint64_t now)
{
	struct wire_out w;

	if (now - a->progress_at < PROGRESS_MS)
		return;
	a->progress_at = now;
	wire_out_init(&w, "progress", 0);
	wire_add_u64(&w, "recipients", a->recipients);
	client_send(a->client, &w, -1);
}

/* Those that were being resolved, once more. */
static void
begin_round(struct act *a)
{
	struct targets done = a->targets;

	a->targets = a->later;
	a->later = done;
	arm(a, ROUND_US);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct act *a = arg;
	uint64_t began = clock_mono_ms(), now = began;

	(void)fd, (void)what;
	for (unsigned n = 1; a->at < a->targets.n && now - began < SLICE_MS; n++) {
		step(a);
		if (n % STEPS_A_LOOK == 0)
			now = clock_mono_ms();
	}
	say_progress(a, now);
	if (a->at < a->targets.n) {
		arm(a, TURN_US);
		return;
	}
	a->at = a->targets.n = 0;
	if (a->source != NULL)
		channel_resume(a->source);
	else if (a->later.n > 0 && a->rounds++ < ROUNDS_MAX)
		begin_round(a);
	else
		finish(a);
}

/* From the child */

static void
take_targets(struct act *a, const struct wire_msg *m)
{
	uint64_t number = 0, entry;

	for (size_t i = 0; i < m->nfields; i++) {
		const struct wire_field *f = &m->fields[i];

		if (span_is(f->name, "message"))
			(void)spool_id_parse(f->value, &number);
		else if (span_is(f->name, "rcpt") &&
			 span_to_u64(f->value, ENTRY_ALL - 1, &entry) == 0)
			add_target(&a->targets, number, (uint32_t)entry);
	}
}

static void
on_part(struct channel *ch, struct wire_msg *m, void *arg)
{
	struct act *a = arg;

	if (span_is(m->verb, "end")) {
		channel_free(&a->source);
	} else {
		take_targets(a, m);
		channel_pause(ch);
	}
	arm(a, 0);
}

static void
on_source_gone(struct channel *ch, const char *why, void *arg)
{
	struct act *a = arg;

	(void)ch;
	log_warnx("control: the search for what to %s ended early: %s", a->action->verb, why);
	channel_free(&a->source);
	a->cut = true;
	arm(a, 0);
}

static const struct channel_ops source_ops = {
    .on_message = on_part, .on_close = on_source_gone};

/* The request */

static void
act_new(const struct control_request *r, const struct action *action, int source)
{
	struct act *a = xcalloc(1, sizeof *a);
	struct span note;

	a->control = r->control;
	a->action = action;
	a->client = r->client;
	a->id = r->msg->id;
	a->progress_at = clock_mono_ms();
	a->turn = evtimer_new(r->control->base, on_turn, a);
	client_answer_init(&a->answer, r->msg);
	if (wire_get(r->msg, "note", &note) == 0)
		a->note = xspandup(span_first(note, NOTE_MAX));
	LIST_INSERT_HEAD(&r->control->acts->list, a, link);
	r->control->acts->n++;
	if (source >= 0) {
		a->source = channel_new(r->control->base, source, &source_ops, a);
		return;
	}
	a->filter = *r->filter;
	*r->filter = (struct queue_filter){.ids = NULL};
	for (size_t i = 0; i < a->filter.nids; i++)
		add_target(&a->targets, a->filter.ids[i], ENTRY_ALL);
	arm(a, 0);
}

static const struct action *
find_action(const struct wire_msg *m)
{
	bool bounce = wire_is_yes(m, "bounce");

	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (span_is(m->verb, actions[i].verb) && actions[i].bounce == bounce)
			return &actions[i];
	return NULL;
}

void
control_act(const struct control_request *r)
{
	struct selection s = {.control = r->control, .filter = r->filter};
	int fd = -1;

	s.action = find_action(r->msg);
	s.count_only = wire_is_yes(r->msg, "dry-run");
	if (s.action == NULL)
		control_refuse(r, CONTROL_WRONG, "bounce= belongs to remove");
	else if (queue_filter_is_empty(r->filter) && !wire_is_yes(r->msg, "all"))
		control_refuse(r, CONTROL_WRONG, "Neither a filter nor all=yes is given");
	else if (s.count_only)
		control_answer_snapshot(r, write_selection, &s);
	else if (r->control->acts->n >= ACTS_MAX)
		control_refuse(r, CONTROL_BUSY, "Too many commands are under way; ask again");
	else if (r->filter->nids == 0 &&
		 (fd = snapshot_begin(r->control->snapshots, write_selection, &s)) < 0)
		control_refuse_snapshot(r);
	else
		act_new(r, s.action, fd);
}
