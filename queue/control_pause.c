/*
 * control_pause: the verbs pause, resume and paused: destinations and sender domains whose mail
 * waits. Part of control (control_parts.h).
 */
#include <string.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "queue/control_parts.h"
#include "queue/store_wishes.h"
#include "queue/summary.h"

static const char *const kind_names[PAUSE_KINDS] = {
    [PAUSE_DESTINATION] = "destination", [PAUSE_SENDER] = "sender-domain"};

/* What of this request's fields is a name to pause; PAUSE_KINDS: nothing. <> stands for the null sender. */
static enum pause_kind
read_name(const struct wire_field *f, struct span *name)
{
	enum pause_kind kind = PAUSE_DESTINATION;

	while (kind < PAUSE_KINDS && !span_is(f->name, kind_names[kind]))
		kind++;
	*name = span_is(f->value, "<>") ? span_str("") : f->value;
	return kind;
}

/* Is every name one? Says which is not. */
static bool
check_names(const struct control_request *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->msg->nfields; i++) {
		struct span name;
		enum pause_kind kind = read_name(&r->msg->fields[i], &name);

		if (kind == PAUSE_KINDS)
			continue;
		n++;
		if (pauses_name_ok(kind, name))
			continue;
		control_refuse(r, CONTROL_WRONG, "%s: %.*s is no name of one", kind_names[kind],
		    SPAN_ARG(span_first(r->msg->fields[i].value, 100)));
		return false;
	}
	if (n == 0)
		control_refuse(
		    r, CONTROL_WRONG, "Neither destination= nor sender-domain= is given");
	return n > 0;
}

static void
log_change(
    const struct control_request *r, const char *what, enum pause_kind kind, struct span name)
{
	log_info("control: %s %s=%.*s by uid %d", what, kind_names[kind], SPAN_ARG(name),
	    (int)client_uid(r->client));
}

static void
add_name(struct wire_out *w, const char *field, enum pause_kind kind, struct span name)
{
	wire_addf(w, field, "%s %.*s", kind_names[kind],
	    SPAN_ARG(name.len > 0 ? name : span_str("<>")));
}

/* Pauses, or lets go on, what is named; the answer says what had been so already. */
static void
change(const struct control_request *r, bool pause, struct wire_out *answer)
{
	struct manager *m = r->control->manager;

	for (size_t i = 0; i < r->msg->nfields; i++) {
		struct span name;
		enum pause_kind kind = read_name(&r->msg->fields[i], &name);
		bool changed;

		if (kind == PAUSE_KINDS)
			continue;
		changed =
		    pause ? manager_pause(m, kind, name) : manager_continue(m, kind, name);
		if (changed)
			log_change(r, pause ? "pause" : "resume", kind, name);
		add_name(answer, changed ? "changed" : "unchanged", kind, name);
	}
}

void
control_pause(const struct control_request *r)
{
	struct wire_out answer;

	if (!check_names(r))
		return;
	client_answer_init(&answer, r->msg);
	change(r, true, &answer);
	control_promise(r->control, r->client, &answer);
	wire_out_release(&answer);
}

/* Lets everything go on. */
static void
resume_all(const struct control_request *r, struct wire_out *answer)
{
	const struct pauses *p = store_pauses(manager_store(r->control->manager));

	for (enum pause_kind kind = 0; kind < PAUSE_KINDS; kind++) {
		const char *name;
		size_t at = 0;

		while ((name = pauses_next(p, kind, &at)) != NULL) {
			char copy[2 * ADDRESS_MAX + 1];

			snprintf(copy, sizeof copy, "%s", name);
			log_change(r, "resume", kind, span_str(copy));
			add_name(answer, "changed", kind, span_str(copy));
			(void)manager_continue(r->control->manager, kind, span_str(copy));
			at = 0; /* the set has changed */
		}
	}
}

void
control_resume(const struct control_request *r)
{
	struct wire_out answer;
	bool all = wire_is_yes(r->msg, "all");

	if (!all && !check_names(r))
		return;
	client_answer_init(&answer, r->msg);
	if (all)
		resume_all(r, &answer);
	else
		change(r, false, &answer);
	control_promise(r->control, r->client, &answer);
	wire_out_release(&answer);
}

const char *
control_pause_of(const struct control *c, const struct recipient *r, enum pause_kind *kind)
{
	const struct pauses *p = store_pauses(manager_store(c->manager));
	struct span sender = span_str(queue_filter_domain(r->message->from));
	const char *name;

	if (r->state >= RECIPIENT_HELD)
		return NULL;
	*kind = PAUSE_SENDER;
	name = pauses_find(p, PAUSE_SENDER, sender);
	if (name != NULL)
		return name;
	*kind = PAUSE_DESTINATION;
	name = pauses_find(p, PAUSE_DESTINATION, span_str(queue_filter_destination(r)));
	return name != NULL ? name
			    : pauses_find(p, PAUSE_DESTINATION,
				  span_str(queue_filter_domain(r->address)));
}

const char *
control_pause_name(enum pause_kind kind)
{
	return kind_names[kind];
}

/* paused: what is, and how many recipients wait because of it */

static void
count_waiting(struct control *c, struct summary *by_kind[PAUSE_KINDS])
{
	struct store *store = manager_store(c->manager);
	const struct message *m;
	size_t at = 0;

	while ((m = store_next(store, &at)) != NULL) {
		for (uint32_t i = 0; i < m->nrecipients; i++) {
			const struct recipient *r = message_recipient(m, i);
			enum pause_kind kind;
			const char *name = control_pause_of(c, r, &kind);

			if (name != NULL)
				summary_add(by_kind[kind], name, r);
		}
	}
}

static void
write_paused(struct snapshot_out *out, void *arg)
{
	struct control *c = arg;
	const struct pauses *p = store_pauses(manager_store(c->manager));
	struct summary *by_kind[PAUSE_KINDS];

	for (enum pause_kind kind = 0; kind < PAUSE_KINDS; kind++)
		by_kind[kind] = summary_new(clock_wall_ms());
	count_waiting(c, by_kind);
	for (enum pause_kind kind = 0; kind < PAUSE_KINDS; kind++) {
		const char *name;
		size_t at = 0;

		while ((name = pauses_next(p, kind, &at)) != NULL) {
			const struct summary_row *row = summary_find(by_kind[kind], name);
			struct wire_out *w = snapshot_part(out);

			wire_add_str(w, "kind", kind_names[kind]);
			wire_add_str(w, "name", name);
			wire_add_u64(w, "messages", row != NULL ? row->messages : 0);
			wire_add_u64(w, "recipients", row != NULL ? row->recipients : 0);
		}
		summary_free(&by_kind[kind]);
	}
}

void
control_paused(const struct control_request *r)
{
	control_answer_snapshot(r, write_paused, r->control);
}
