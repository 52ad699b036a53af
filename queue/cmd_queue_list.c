/*
 * cmd_queue_list: postrider queue list and show: what is in the queue, all of it or
 * what the filters name, and everything about one message.
 */
#include <stdio.h>
#include <sysexits.h>

#include "queue/cmd_queue.h"
#include "queue/cmd_verbs.h"

#define LIMIT_MAX 100000

static int
print_list(const struct cmd_context *ctx, const struct listing *l)
{
	json_t *json, *messages;

	if (ctx->json) {
		json = json_object();
		messages = json_array();
		for (size_t i = 0; i < l->nmessages; i++)
			json_array_append_new(
			    messages, cmd_queue_message_to_json(&l->messages[i]));
		json_object_set_new(json, "messages", messages);
		json_object_set_new(json, "more", json_boolean(l->more));
		return cmd_print_json(json);
	}
	for (size_t i = 0; i < l->nmessages; i++)
		cmd_queue_print_message(&l->messages[i]);
	if (l->more)
		printf("There are more messages: name a --domain, --sender or --recipient.\n");
	return 0;
}

/* Asks, parses, prints one message (with one) or the list. An exit status. */
static int
run(const struct cmd_context *ctx, struct wire_out *w, bool one)
{
	struct control_client *c;
	struct wire_msg answer;
	struct listing l;
	int r = cmd_ask(ctx, "queue", w, &c, &answer);

	if (r == 0)
		r = cmd_verdict_status(&answer);
	if (r == 0 && (listing_parse(&answer, &l) != 0 || (one && l.nmessages != 1)))
		r = cmd_fail(EX_PROTOCOL, "the queue manager's answer is malformed");
	else if (r == 0) {
		if (!one)
			r = print_list(ctx, &l);
		else if (ctx->json)
			r = cmd_print_json(cmd_queue_message_to_json(&l.messages[0]));
		else
			cmd_queue_print_message(&l.messages[0]);
		listing_release(&l);
	}
	control_client_close(&c);
	return r;
}

int
cmd_queue_list(struct cmd_context *ctx, char **argv)
{
	struct cmd_option options[CMD_QUEUE_FILTER_OPTIONS + 1];
	const char *limit = NULL;
	struct cmd_queue_filter f;
	struct cmd_args args;
	struct wire_out w;
	uint64_t n = LIMIT_MAX;
	int r;

	cmd_queue_filter_options(&f, options);
	options[CMD_QUEUE_FILTER_OPTIONS] = (struct cmd_option){"limit", &limit, NULL};
	r = cmd_parse(ctx, argv, options, CMD_QUEUE_FILTER_OPTIONS + 1, 0, 1, &args);
	if (r != CMD_GO_ON)
		return r;
	if (limit != NULL && (span_to_u64(span_str(limit), LIMIT_MAX, &n) != 0 || n == 0))
		return cmd_fail_usage(ctx, "--limit wants a number from 1 to %d", LIMIT_MAX);
	wire_out_init(&w, "list", 1);
	cmd_queue_filter_add(&f, args.v[0], &w);
	wire_add_u64(&w, "limit", n);
	return run(ctx, &w, false);
}

int
cmd_queue_show(struct cmd_context *ctx, char **argv)
{
	struct cmd_args args;
	struct wire_out w;
	int r = cmd_parse(ctx, argv, NULL, 0, 1, 1, &args);

	if (r != CMD_GO_ON)
		return r;
	wire_out_init(&w, "show", 1);
	wire_add_str(&w, "message", args.v[0]);
	return run(ctx, &w, true);
}
