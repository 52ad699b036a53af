/*
 * cmd_queue_act: postrider queue retry, hold, release, remove, requeue: something done to the
 * messages that ids or filters name. Ids are what they are; a filter may mean more than its author thought,
 * so what it means is counted first, and asked about, or --yes says that it is right.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "queue/cmd_queue.h"
#include "queue/cmd_verbs.h"

#define IDS_A_REQUEST 1000
#define REFUSED	      1 /* exit status of who answers no */

struct act {
	const char *verb;
	const char *question;	  /* "Retry", for the question */
	const char *done, *would; /* "will be tried now", "would be tried" */
	const char *undo;	  /* the verb that undoes it, NULL: nothing does */
	struct cmd_queue_filter filter;
	struct cmd_args ids;
	bool all, bounce, yes, dry_run;
};

struct counts {
	uint64_t messages, recipients;
	json_t *unknown; /* ids */
	int status;
};

static int
take_counts(const struct wire_msg *m, struct counts *c)
{
	uint64_t messages, recipients;
	int unknown;

	if (wire_get_u64(m, "messages", INT64_MAX, &messages) != 0 ||
	    wire_get_u64(m, "recipients", INT64_MAX, &recipients) != 0)
		return cmd_fail(EX_PROTOCOL, "the queue manager's answer is malformed");
	c->messages += messages;
	c->recipients += recipients;
	unknown = cmd_queue_say_unknown(m);
	if (unknown != 0)
		c->status = unknown;
	for (size_t i = 0; i < m->nfields; i++)
		if (span_is(m->fields[i].name, "unknown"))
			json_array_append_new(c->unknown, cmd_json_string(m->fields[i].value));
	return 0;
}

static void
begin_request(const struct act *a, struct wire_out *w)
{
	wire_out_init(w, a->verb, 1);
	cmd_queue_filter_add(&a->filter, w);
	if (a->all)
		wire_add_str(w, "all", "yes");
	if (a->bounce)
		wire_add_str(w, "bounce", "yes");
}

static int
on_count_frame(const struct wire_msg *frame, void *arg)
{
	return span_is(frame->verb, "end") ? take_counts(frame, arg) : 0;
}

/* What it would be done to. */
static int
count(const struct cmd_context *ctx, const struct act *a, struct counts *c)
{
	struct wire_out w;

	begin_request(a, &w);
	cmd_queue_ids_add(a->ids.v, a->ids.n, &w);
	wire_add_str(&w, "dry-run", "yes");
	return cmd_ask_stream(ctx, &w, on_count_frame, c);
}

/* One request: for these ids, or without any for what the filter names. */
static int
ask(const struct cmd_context *ctx, const struct act *a, char *const *ids, int n,
    struct counts *c)
{
	struct control_client *client;
	struct wire_msg answer;
	struct wire_out w;
	int r;

	begin_request(a, &w);
	cmd_queue_ids_add(ids, n, &w);
	r = cmd_ask(ctx, "queue", &w, &client, &answer);
	if (r == 0) {
		r = cmd_verdict_status(&answer);
		if (wire_get_u64(&answer, "messages", INT64_MAX, &(uint64_t){0}) == 0) {
			int taken = take_counts(&answer, c); /* also of what was done in part */

			r = r != 0 ? r : taken;
		}
	}
	control_client_close(&client);
	return r;
}

static void
print_counts(const struct counts *c)
{
	printf("%" PRIu64 " recipient%s in %" PRIu64 " message%s", c->recipients,
	    c->recipients == 1 ? "" : "s", c->messages, c->messages == 1 ? "" : "s");
}

/* What would undo it, as a command; empty if nothing does. */
static void
write_undo(const struct act *a, struct buf *out)
{
	size_t verb_len;

	/* Which of them were in a state is not known any more. */
	if (a->undo == NULL || a->dry_run || a->filter.state.n > 0 || a->filter.held)
		return;
	buf_addf(out, "postrider queue %s", a->undo);
	verb_len = out->len;
	cmd_queue_filter_quote(&a->filter, out);
	for (int i = 0; i < a->ids.n; i++)
		buf_addf(out, " %s", a->ids.v[i]);
	if (out->len == verb_len)
		buf_add_str(out, " --all");
}

static int
report(const struct cmd_context *ctx, const struct act *a, struct counts *c)
{
	struct buf undo;
	json_t *json;
	int r = 0;

	buf_init(&undo, 1U << 20);
	if (c->recipients > 0)
		write_undo(a, &undo);
	if (ctx->json) {
		json = json_object();
		json_object_set_new(json, "messages", cmd_json_number(c->messages));
		json_object_set_new(json, "recipients", cmd_json_number(c->recipients));
		json_object_set_new(json, "dry-run", json_boolean(a->dry_run));
		json_object_set(json, "unknown", c->unknown);
		json_object_set_new(json, "undo", cmd_json_unless_empty(buf_span(&undo)));
		r = cmd_json_print(json);
	} else {
		print_counts(c);
		printf("%s%s.\n", c->recipients == 0 ? ": nothing to do" : " ",
		    c->recipients == 0 ? ""
		    : a->dry_run       ? a->would
				       : a->done);
		if (undo.len > 0)
			printf("To undo: %s\n", buf_str(&undo));
	}
	buf_release(&undo);
	return r;
}

/* Asks on the terminal. */
static bool
confirm(const struct act *a, const struct counts *c)
{
	char line[16] = "";

	fflush(stdout);
	fprintf(stderr, "%s %" PRIu64 " recipients in %" PRIu64 " messages%s? [y/N] ",
	    a->question, c->recipients, c->messages,
	    a->undo == NULL && strcmp(a->verb, "remove") == 0 ? " for good" : "");
	return fgets(line, sizeof line, stdin) != NULL && (line[0] == 'y' || line[0] == 'Y');
}

/* May what the filter means be done? CMD_GO_ON, or an exit status. */
static int
check_with_caller(const struct cmd_context *ctx, const struct act *a)
{
	struct counts c = {.unknown = json_array()};
	int r = count(ctx, a, &c);

	if (r == 0 && c.messages <= 1)
		r = CMD_GO_ON;
	else if (r == 0 && !ctx->json && isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
		r = confirm(a, &c) ? CMD_GO_ON : REFUSED;
	else if (r == 0)
		r = cmd_fail(EX_USAGE,
		    "%" PRIu64 " recipients in %" PRIu64
		    " messages match: say --yes if all of them are meant",
		    c.recipients, c.messages);
	json_decref(c.unknown);
	return r;
}

static int
act(const struct cmd_context *ctx, const struct act *a, struct counts *c)
{
	int r = 0, at = 0;

	if (a->dry_run)
		return count(ctx, a, c);
	if (a->ids.n == 0)
		return ask(ctx, a, NULL, 0, c);
	while (r == 0 && at < a->ids.n) {
		int n = a->ids.n - at < IDS_A_REQUEST ? a->ids.n - at : IDS_A_REQUEST;

		r = ask(ctx, a, a->ids.v + at, n, c);
		at += n;
	}
	return r;
}

static int
run(struct cmd_context *ctx, char **argv, struct act *a)
{
	struct cmd_option options[CMD_QUEUE_FILTER_OPTIONS + 4];
	size_t n = CMD_QUEUE_FILTER_OPTIONS;
	struct counts c = {.unknown = NULL};
	bool filtered;
	int r;

	cmd_queue_filter_options(&a->filter, options);
	options[n++] = (struct cmd_option){.name = "all", .given = &a->all};
	options[n++] = (struct cmd_option){.name = "yes", .given = &a->yes};
	options[n++] = (struct cmd_option){.name = "dry-run", .given = &a->dry_run};
	if (strcmp(a->verb, "remove") == 0)
		options[n++] = (struct cmd_option){.name = "bounce", .given = &a->bounce};
	r = cmd_parse(ctx, argv, options, n, 0, -1, &a->ids);
	if (r != CMD_GO_ON)
		return r;
	filtered = !cmd_queue_filter_is_empty(&a->filter);
	if (a->ids.n == 0 && !filtered && !a->all)
		return cmd_fail_usage(
		    ctx, "name message ids or a filter, or say --all for the whole queue");
	if (a->all && (a->ids.n > 0 || filtered))
		return cmd_fail_usage(ctx, "--all goes without message ids and filters");
	r = cmd_queue_check(ctx, &a->filter, &a->ids);
	if (r == 0 && a->ids.n == 0 && !a->yes && !a->dry_run)
		r = check_with_caller(ctx, a);
	if (r != 0 && r != CMD_GO_ON)
		return r;
	if (a->bounce) {
		a->done = "given up; their senders are told";
		a->would = "would be given up, and their senders told";
	}
	c.unknown = json_array();
	r = act(ctx, a, &c);
	if (r == 0 && !(c.status != 0 && c.recipients == 0))
		r = report(ctx, a, &c);
	json_decref(c.unknown);
	return r != 0 ? r : c.status;
}

int
cmd_queue_retry(struct cmd_context *ctx, char **argv)
{
	struct act a = {.verb = "retry",
	    .question = "Retry",
	    .done = "will be tried now",
	    .would = "would be tried now"};

	return run(ctx, argv, &a);
}

int
cmd_queue_hold(struct cmd_context *ctx, char **argv)
{
	struct act a = {.verb = "hold",
	    .question = "Hold",
	    .done = "held: not tried until released",
	    .would = "would be held",
	    .undo = "release"};

	return run(ctx, argv, &a);
}

int
cmd_queue_release(struct cmd_context *ctx, char **argv)
{
	struct act a = {.verb = "release",
	    .question = "Release",
	    .done = "released, and will be tried now",
	    .would = "would be released",
	    .undo = "hold"};

	return run(ctx, argv, &a);
}

int
cmd_queue_requeue(struct cmd_context *ctx, char **argv)
{
	struct act a = {.verb = "requeue",
	    .question = "Requeue",
	    .done = "will be resolved anew",
	    .would = "would be resolved anew"};

	return run(ctx, argv, &a);
}

int
cmd_queue_remove(struct cmd_context *ctx, char **argv)
{
	struct act a = {.verb = "remove",
	    .question = "Remove",
	    .done = "removed; nobody is told",
	    .would = "would be removed"};

	return run(ctx, argv, &a);
}
