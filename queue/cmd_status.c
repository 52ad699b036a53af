/*
 * cmd_status: postrider status: the processes, the queue and the directory, each
 * asked at its own socket, so that one which does not answer hides nothing of the
 * others.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "queue/cmd_status_text.h"
#include "queue/cmd_table.h"
#include "queue/cmd_verbs.h"
#include "queue/cmd_watch.h"

static void
print_daemon(const struct cmd_status_text *s)
{
	struct cmd_table *t = cmd_table_new("PROCESS|>WORKER|>PID|STATE|>RESTARTS|>UP");
	char up[CMD_DURATION_SIZE];

	printf("postriderd ");
	cmd_print_span(s->version);
	printf(", process %d, ", (int)s->pid);
	cmd_print_span(s->state);
	printf(", up %s", cmd_format_duration(s->uptime, up));
	if (s->reloads > 0) {
		printf(", last reload ");
		cmd_print_span(s->reload);
		printf(" at ");
		cmd_print_span(s->reload_time);
	}
	for (size_t i = 0; i < s->nnext_start; i++) {
		printf("\nwith the next start: ");
		cmd_print_span(s->next_start[i]);
	}
	printf("\nsystem calls: %s; ", span_is(s->filter, "enforce") ? "filtered"
				       : span_is(s->filter, "log")   ? "logged, not filtered"
								     : "not filtered");
	if (s->landlock == 1)
		printf("Landlock version 1, which is not enough for the queue and for "
		       "local's children\n\n");
	else if (s->landlock > 0)
		printf("Landlock version %" PRIu64 "\n\n", s->landlock);
	else
		printf("Landlock: not in this kernel\n\n");
	for (size_t i = 0; i < s->nprocesses; i++) {
		const struct cmd_process *p = &s->processes[i];

		cmd_table_add(t, p->name);
		cmd_table_addf(t, "%" PRIu64, p->worker);
		cmd_table_addf(t, "%" PRIu64, p->pid);
		cmd_table_add(t, p->state);
		cmd_table_addf(t, "%" PRIu64, p->restarts);
		cmd_table_addf(t, "%s", cmd_format_duration(p->uptime, up));
	}
	cmd_table_print(t, stdout);
	cmd_table_free(&t);
}

static void
daemon_to_json(const struct cmd_status_text *s, json_t *json)
{
	json_t *daemon = json_object(), *processes = json_array(), *next_start = json_array();

	cmd_json_set(daemon, "version", s->version);
	json_object_set_new(daemon, "pid", cmd_json_number((uint64_t)s->pid));
	cmd_json_set(daemon, "state", s->state);
	json_object_set_new(daemon, "uptime", cmd_json_number(s->uptime));
	json_object_set_new(daemon, "reloads", cmd_json_number(s->reloads));
	cmd_json_set(daemon, "reload", s->reload);
	cmd_json_set(daemon, "reload-time", s->reload_time);
	for (size_t i = 0; i < s->nnext_start; i++)
		json_array_append_new(next_start, cmd_json_string(s->next_start[i]));
	json_object_set_new(daemon, "next-start", next_start);
	cmd_json_set(daemon, "system-call-filter", s->filter);
	json_object_set_new(daemon, "landlock", cmd_json_number(s->landlock));
	for (size_t i = 0; i < s->nprocesses; i++) {
		const struct cmd_process *p = &s->processes[i];
		json_t *one = json_object();

		cmd_json_set(one, "process", p->name);
		json_object_set_new(one, "worker", cmd_json_number(p->worker));
		json_object_set_new(one, "pid", cmd_json_number(p->pid));
		cmd_json_set(one, "state", p->state);
		json_object_set_new(one, "restarts", cmd_json_number(p->restarts));
		json_object_set_new(one, "uptime", cmd_json_number(p->uptime));
		json_array_append_new(processes, one);
	}
	json_object_set_new(json, "postriderd", daemon);
	json_object_set_new(json, "processes", processes);
}

/* Is it one of the four fields of the verdict, which say nothing about the state? */
static bool
is_verdict_field(struct span name)
{
	return span_is(name, "kind") || span_is(name, "code") || span_is(name, "status") ||
	       span_is(name, "text");
}

/* Counters as the process names them, up to its first destination. */
static void
print_counters(const char *title, const struct wire_msg *m)
{
	printf("\n%s\n", title);
	for (size_t i = 0; i < m->nfields; i++) {
		struct span name = m->fields[i].name;

		if (span_is(name, "destination"))
			break;
		if (is_verdict_field(name))
			continue;
		printf("  %-14.*s  ", SPAN_ARG(name));
		cmd_print_span(m->fields[i].value);
		putchar('\n');
	}
}

static void
print_destinations(const struct wire_msg *m)
{
	static const char *const names[] = {
	    "agent", "waiting", "active", "places", "delivered", "note"};
	struct cmd_table *t =
	    cmd_table_new("  DESTINATION|BY|>WAITING|>ACTIVE|>OF|>DONE IN 10 MIN|");

	for (size_t i = 0; i < m->nfields; i++) {
		if (!span_is(m->fields[i].name, "destination"))
			continue;
		cmd_table_addf(t, "  %.*s", SPAN_ARG(m->fields[i].value));
		/* In this order; what is not understood is passed over. */
		for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
			size_t j = i + 1;

			while (j < m->nfields && !span_is(m->fields[j].name, "destination") &&
			       !span_is(m->fields[j].name, names[k]))
				j++;
			cmd_table_add(t, j < m->nfields && span_is(m->fields[j].name, names[k])
					     ? m->fields[j].value
					     : span_str(""));
		}
	}
	cmd_table_print(t, stdout);
	cmd_table_free(&t);
}

static json_t *
value_to_json(struct span value)
{
	uint64_t n;

	return span_to_u64(value, INT64_MAX, &n) == 0 ? cmd_json_number(n)
						      : cmd_json_string(value);
}

/* The array of that name in json, made if there is none. */
static json_t *
array_of(json_t *json, const char *name)
{
	json_t *array = json_object_get(json, name);

	if (array == NULL) {
		array = json_array();
		json_object_set_new(json, name, array);
	}
	return array;
}

/* The same as an object; the groups that begin with destination= are its array "destinations", all of paused= one. */
static json_t *
counters_to_json(const struct wire_msg *m)
{
	json_t *json = json_object(), *one = json;

	for (size_t i = 0; i < m->nfields; i++) {
		const struct wire_field *f = &m->fields[i];

		if (one == json && is_verdict_field(f->name))
			continue;
		if (span_is(f->name, "paused")) {
			json_array_append_new(
			    array_of(json, "paused"), cmd_json_string(f->value));
			continue;
		}
		if (span_is(f->name, "destination")) {
			one = json_object();
			json_array_append_new(array_of(json, "destinations"), one);
		}
		json_object_setn_new(one, f->name.p, f->name.len,
		    span_is(f->name, "destination") || span_is(f->name, "note")
			? cmd_json_string(f->value)
			: value_to_json(f->value));
	}
	return json;
}

/* One process's counters, into json or onto the screen. An exit status. */
static int
ask(const struct cmd_context *ctx, const char *name, const char *title, json_t *json)
{
	struct control_client *c;
	struct wire_msg answer;
	struct wire_out w;
	int status;

	wire_out_init(&w, "status", 1);
	status = cmd_ask(ctx, name, &w, &c, &answer);
	if (status == 0 && json != NULL) {
		json_object_set_new(json, name, counters_to_json(&answer));
	} else if (status == 0) {
		print_counters(title, &answer);
		print_destinations(&answer);
	}
	control_client_close(&c);
	return status;
}

static int
show_status(struct cmd_context *ctx, void *arg)
{
	struct cmd_status_text s;
	json_t *json;
	int r = cmd_status_text_read(ctx, &s), queue, directory;

	(void)arg;
	if (r != 0)
		return r;
	json = ctx->json ? json_object() : NULL;
	if (ctx->json)
		daemon_to_json(&s, json);
	else
		print_daemon(&s);
	cmd_status_text_release(&s);
	queue = ask(ctx, "queue", "Queue", json);
	directory = ask(ctx, "directory", "Directory", json);
	if (ctx->json)
		r = cmd_json_print(json);
	return r != 0 ? r : queue != 0 ? queue : directory;
}

int
cmd_status(struct cmd_context *ctx, char **argv)
{
	struct cmd_watch watch = {.given = false};
	const struct cmd_option options[] = {cmd_watch_option(&watch)};
	struct cmd_args args;
	int r = cmd_parse(ctx, argv, options, 1, 0, 0, &args);

	return r != CMD_GO_ON ? r : cmd_watch_run(ctx, &watch, show_status, NULL);
}
