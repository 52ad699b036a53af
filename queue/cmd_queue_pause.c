/*
 * cmd_queue_pause: postrider queue pause, resume and paused: destinations and sender domains
 * whose mail waits until the administrator lets it go on, over restarts, too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "common/address.h"
#include "queue/cmd_queue.h"
#include "queue/cmd_table.h"
#include "queue/cmd_verbs.h"

#define UNDO_MAX 65536

struct names {
	const char *verb;	   /* pause or resume */
	struct cmd_queue_filter f; /* of which destination and sender_domain are used */
	bool all;
	bool json;
};

/* As the queue has it: a domain in lower case and in A-labels; what is none as it stands. */
static void
add_names(struct wire_out *w, const char *field, const struct cmd_values *values)
{
	for (size_t i = 0; i < values->n; i++) {
		char canonical[DOMAIN_MAX + 1];
		size_t len;

		if (domain_canonical(span_str(values->v[i]), true, canonical, &len, NULL) == 0)
			wire_add(w, field, span_make(canonical, len));
		else
			wire_add_str(w, field, values->v[i]);
	}
}

/* The values of a field, as lines of text (on standard error if it is one), or as an array of json. */
static size_t
tell(const struct wire_msg *answer, const char *field, const char *what, bool error,
    json_t *json)
{
	json_t *array = json_array();
	size_t n = 0;

	for (size_t i = 0; i < answer->nfields; i++) {
		const struct wire_field *f = &answer->fields[i];

		if (!span_is(f->name, field))
			continue;
		n++;
		if (json != NULL) {
			json_array_append_new(array, cmd_json_string(f->value));
			continue;
		}
		if (error) {
			cmd_fail(0, "%.*s %s", SPAN_ARG(f->value), what);
			continue;
		}
		cmd_print_span(f->value);
		printf(" %s\n", what);
	}
	if (json != NULL)
		json_object_set_new(json, field, array);
	else
		json_decref(array);
	return n;
}

/* What the answer says. An exit status: it is no success to resume what is not paused. */
static int
report(const struct names *n, const struct wire_msg *answer)
{
	bool pause = n->verb[0] == 'p';
	json_t *json = n->json ? json_object() : NULL;
	struct buf undo;
	size_t changed, unchanged;
	int r = 0;

	changed = tell(answer, "changed",
	    pause ? "is paused: its mail waits" : "is resumed: its mail goes on", false, json);
	unchanged = tell(
	    answer, "unchanged", pause ? "was paused already" : "is not paused", !pause, json);
	buf_init(&undo, UNDO_MAX);
	if (changed > 0 && unchanged == 0 && !n->all) {
		buf_addf(&undo, "postrider queue %s", pause ? "resume" : "pause");
		cmd_queue_filter_quote(&n->f, &undo);
	}
	if (json != NULL) {
		json_object_set_new(json, "undo", cmd_json_unless_empty(buf_span(&undo)));
		r = cmd_json_print(json);
	} else if (undo.len > 0) {
		printf("To undo: %s\n", buf_str(&undo));
	} else if (changed + unchanged == 0) {
		printf("Nothing is paused.\n");
	}
	buf_release(&undo);
	return r != 0 ? r : !pause && unchanged > 0 ? EX_NOINPUT : 0;
}

static int
ask(const struct cmd_context *ctx, const struct names *n)
{
	struct control_client *c;
	struct wire_msg answer;
	struct wire_out w;
	int r;

	wire_out_init(&w, n->verb, 1);
	add_names(&w, "destination", &n->f.destination);
	add_names(&w, "sender-domain", &n->f.sender_domain);
	if (n->all)
		wire_add_str(&w, "all", "yes");
	r = cmd_ask(ctx, "queue", &w, &c, &answer);
	if (r == 0)
		r = cmd_verdict_status(&answer);
	if (r == 0)
		r = report(n, &answer);
	control_client_close(&c);
	return r;
}

static int
change(struct cmd_context *ctx, char **argv, const char *verb)
{
	struct names n = {.verb = verb};
	const struct cmd_option options[] = {
	    {.name = "destination", .values = &n.f.destination},
	    {.name = "sender-domain", .values = &n.f.sender_domain},
	    {.name = "all", .given = &n.all}};
	struct cmd_args args;
	bool named;
	int r = cmd_parse(ctx, argv, options, verb[0] == 'p' ? 2 : 3, 0, 0, &args);

	if (r != CMD_GO_ON)
		return r;
	named = n.f.destination.n + n.f.sender_domain.n > 0;
	if (!named && !n.all)
		return cmd_fail_usage(ctx, "name a --destination or a --sender-domain%s",
		    verb[0] == 'p' ? "" : ", or say --all");
	if (named && n.all)
		return cmd_fail_usage(ctx, "--all goes without names");
	n.json = ctx->json;
	return ask(ctx, &n);
}

int
cmd_queue_pause(struct cmd_context *ctx, char **argv)
{
	return change(ctx, argv, "pause");
}

int
cmd_queue_resume(struct cmd_context *ctx, char **argv)
{
	return change(ctx, argv, "resume");
}

/* paused */

struct list {
	bool json, began;
	size_t n;
	struct cmd_table *table;
};

static void
add_row(struct list *l, const struct wire_field *f)
{
	json_t *json;
	uint64_t n = 0;

	if (!l->json) {
		cmd_table_add(l->table, f[0].value);
		cmd_table_add(l->table, f[1].value.len > 0 ? f[1].value : span_str("<>"));
		cmd_table_add(l->table, f[3].value);
		cmd_table_add(l->table, f[2].value);
	} else {
		json = json_object();
		cmd_json_set(json, "kind", f[0].value);
		cmd_json_set(json, "name", f[1].value);
		(void)span_to_u64(f[2].value, INT64_MAX, &n);
		json_object_set_new(json, "messages", cmd_json_number(n));
		(void)span_to_u64(f[3].value, INT64_MAX, &n);
		json_object_set_new(json, "recipients", cmd_json_number(n));
		cmd_json_array_add(json, l->n == 0);
	}
	l->n++;
}

static int
on_frame(const struct wire_msg *frame, void *arg)
{
	struct list *l = arg;

	if (!l->began && l->json)
		cmd_json_array_begin("paused");
	l->began = true;
	/* kind, name, messages, recipients, in this order */
	for (size_t i = 0; i + 3 < frame->nfields; i++)
		if (span_is(frame->fields[i].name, "kind"))
			add_row(l, &frame->fields[i]);
	if (!span_is(frame->verb, "end"))
		return 0;
	if (l->json) {
		cmd_json_array_end();
		return cmd_json_array_finish();
	}
	if (l->n == 0)
		printf("Nothing is paused.\n");
	cmd_table_print(l->table, stdout);
	return 0;
}

int
cmd_queue_paused(struct cmd_context *ctx, char **argv)
{
	struct list l = {.json = false};
	struct cmd_args args;
	struct wire_out w;
	int r = cmd_parse(ctx, argv, NULL, 0, 0, 0, &args);

	if (r != CMD_GO_ON)
		return r;
	l.json = ctx->json;
	l.table = cmd_table_new("KIND|NAME|>RECIPIENTS|>MESSAGES");
	wire_out_init(&w, "paused", 1);
	r = cmd_ask_stream(ctx, &w, on_frame, &l);
	cmd_table_free(&l.table);
	return r;
}
