/*
 * cmd_queue_act: postrider queue retry and remove: something done to the messages
 * that ids or filters name. All of them must be asked for by --all.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "queue/cmd_queue.h"
#include "queue/cmd_verbs.h"

struct act {
	const char *verb, *done; /* "retry", "will be tried now" */
	struct cmd_queue_filter filter;
	bool all, bounce;
};

/* One request: for the message id, or for what the filter names. An exit status; *count grows. */
static int
ask(const struct cmd_context *ctx, const struct act *a, const char *id, uint64_t *count)
{
	struct control_client *c;
	struct wire_msg answer;
	struct wire_out w;
	uint64_t n = 0;
	int r;

	wire_out_init(&w, a->verb, 1);
	cmd_queue_filter_add(&a->filter, id, &w);
	if (a->bounce)
		wire_add_str(&w, "bounce", "yes");
	r = cmd_ask(ctx, "queue", &w, &c, &answer);
	if (r == 0)
		r = cmd_verdict_status(&answer);
	if (r == 0 && wire_get_u64(&answer, "count", UINT64_MAX, &n) != 0)
		r = cmd_fail(EX_PROTOCOL, "the queue manager's answer is malformed");
	if (r == 0 && n == 0 && id != NULL)
		r = cmd_fail(EX_NOINPUT, "%s: no such message waits in the queue", id);
	*count += n;
	control_client_close(&c);
	return r;
}

static int
report(const struct cmd_context *ctx, const struct act *a, uint64_t count)
{
	json_t *json;

	if (ctx->json) {
		json = json_object();
		json_object_set_new(json, "count", json_integer((json_int_t)count));
		return cmd_print_json(json);
	}
	printf("%" PRIu64 " recipient%s %s.\n", count, count == 1 ? "" : "s", a->done);
	return 0;
}

static int
run(struct cmd_context *ctx, struct act *a, const struct cmd_args *args)
{
	uint64_t count = 0;
	int r = 0, one, printed;
	bool filtered = !cmd_queue_filter_is_empty(&a->filter);

	if (args->n == 0 && !filtered && !a->all)
		return cmd_fail_usage(
		    ctx, "name message ids or a filter, or say --all for the whole queue");
	if (a->all && (args->n > 0 || filtered))
		return cmd_fail_usage(ctx, "--all goes without message ids and filters");
	if (args->n == 0)
		r = ask(ctx, a, NULL, &count);
	for (int i = 0; i < args->n; i++) {
		one = ask(ctx, a, args->v[i], &count);
		if (r == 0)
			r = one;
	}
	if (r != 0 && count == 0)
		return r;
	printed = report(ctx, a, count);
	return r != 0 ? r : printed;
}

int
cmd_queue_retry(struct cmd_context *ctx, char **argv)
{
	struct act a = {.verb = "retry", .done = "will be tried now"};
	struct cmd_option options[CMD_QUEUE_FILTER_OPTIONS + 1];
	struct cmd_args args;
	int r;

	cmd_queue_filter_options(&a.filter, options);
	options[CMD_QUEUE_FILTER_OPTIONS] = (struct cmd_option){"all", NULL, &a.all};
	r = cmd_parse(ctx, argv, options, CMD_QUEUE_FILTER_OPTIONS + 1, 0, -1, &args);
	return r != CMD_GO_ON ? r : run(ctx, &a, &args);
}

int
cmd_queue_remove(struct cmd_context *ctx, char **argv)
{
	struct act a = {.verb = "remove", .done = "removed"};
	struct cmd_option options[CMD_QUEUE_FILTER_OPTIONS + 2];
	struct cmd_args args;
	int r;

	cmd_queue_filter_options(&a.filter, options);
	options[CMD_QUEUE_FILTER_OPTIONS] = (struct cmd_option){"all", NULL, &a.all};
	options[CMD_QUEUE_FILTER_OPTIONS + 1] = (struct cmd_option){"bounce", NULL, &a.bounce};
	r = cmd_parse(ctx, argv, options, CMD_QUEUE_FILTER_OPTIONS + 2, 0, -1, &args);
	if (a.bounce)
		a.done = "failed; their senders are told";
	return r != CMD_GO_ON ? r : run(ctx, &a, &args);
}
