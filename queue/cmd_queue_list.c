/*
 * cmd_queue_list: postrider queue list and show: what is in the queue, all of it or
 * what the filters name, and everything about one message. The list is printed as it comes, and never
 * held whole.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "queue/cmd_queue.h"
#include "queue/cmd_queue_print.h"
#include "queue/cmd_verbs.h"
#include "queue/cmd_watch.h"
#include "queue/listing.h"

/* A list being printed. */
struct list {
	bool json, filtered;
	bool began;
	json_t *pending; /* the last message, which the next frame may continue */
	bool first;	 /* no message was printed yet */
	uint64_t messages, recipients, shown;
	int status;
};

struct question {
	struct cmd_queue_filter filter;
	struct cmd_args ids;
	const char *sort;
	uint64_t limit;
};

static void
flush_pending(struct list *l)
{
	if (l->pending == NULL)
		return;
	cmd_json_array_add(l->pending, l->first);
	l->pending = NULL;
	l->first = false;
}

static void
print_message(struct list *l, const struct listing_message *m)
{
	l->shown += !m->continued;
	if (!l->json) {
		cmd_queue_print_message(m);
		return;
	}
	if (m->continued && l->pending != NULL) {
		cmd_queue_recipients_to_json(m, l->pending);
		return;
	}
	flush_pending(l);
	l->pending = cmd_queue_message_to_json(m);
}

static void
print_totals(const struct list *l)
{
	if (l->messages == 0) {
		printf("%s\n",
		    l->filtered ? "Nothing in the queue matches." : "The queue is empty.");
		return;
	}
	printf("%" PRIu64 " message%s, %" PRIu64 " recipient%s", l->messages,
	    l->messages == 1 ? "" : "s", l->recipients, l->recipients == 1 ? "" : "s");
	if (l->shown < l->messages)
		printf("; %" PRIu64 " of them shown", l->shown);
	putchar('\n');
}

static void
end_list(struct list *l)
{
	if (!l->json) {
		print_totals(l);
		return;
	}
	flush_pending(l);
	cmd_json_array_end();
	cmd_json_array_member("more", json_boolean(l->shown < l->messages));
	cmd_json_array_member("total-messages", cmd_json_number(l->messages));
	cmd_json_array_member("total-recipients", cmd_json_number(l->recipients));
	if (cmd_json_array_finish() != 0 && l->status == 0)
		l->status = EX_IOERR;
}

static int
on_list_frame(const struct wire_msg *frame, void *arg)
{
	struct list *l = arg;
	struct listing part;
	int unknown = cmd_queue_say_unknown(frame);

	if (unknown != 0)
		l->status = unknown;
	if (listing_parse(frame, &part) != 0)
		return cmd_fail(EX_PROTOCOL, "the queue manager's answer is malformed");
	(void)wire_get_u64(frame, "messages", INT64_MAX, &l->messages);
	(void)wire_get_u64(frame, "recipients", INT64_MAX, &l->recipients);
	if (!l->began && l->json)
		cmd_json_array_begin("messages");
	l->began = true;
	for (size_t i = 0; i < part.nmessages; i++)
		print_message(l, &part.messages[i]);
	listing_release(&part);
	if (span_is(frame->verb, "end"))
		end_list(l);
	return ferror(stdout) != 0 ? EX_IOERR : 0;
}

static int
show_list(struct cmd_context *ctx, void *arg)
{
	const struct question *q = arg;
	struct list l = {.json = ctx->json, .first = true};
	struct wire_out w;
	uint64_t limit = q->limit;
	int r;

	l.filtered = q->ids.n > 0 || !cmd_queue_filter_is_empty(&q->filter);
	if (ctx->rows > 0 && ctx->rows < limit)
		limit = ctx->rows;
	wire_out_init(&w, "list", 1);
	cmd_queue_filter_add(&q->filter, &w);
	cmd_queue_ids_add(q->ids.v, q->ids.n, &w);
	wire_add_u64(&w, "limit", limit);
	if (q->sort != NULL)
		wire_add_str(&w, "sort", q->sort);
	r = cmd_ask_stream(ctx, &w, on_list_frame, &l);
	json_decref(l.pending);
	return r != 0 ? r : l.status;
}

int
cmd_queue_list(struct cmd_context *ctx, char **argv)
{
	struct cmd_option options[CMD_QUEUE_FILTER_OPTIONS + 3];
	struct question q = {.limit = UINT64_MAX};
	struct cmd_watch watch = {.given = false};
	const char *limit = NULL;
	int r;

	cmd_queue_filter_options(&q.filter, options);
	options[CMD_QUEUE_FILTER_OPTIONS] =
	    (struct cmd_option){.name = "limit", .value = &limit};
	options[CMD_QUEUE_FILTER_OPTIONS + 1] =
	    (struct cmd_option){.name = "sort", .value = &q.sort};
	options[CMD_QUEUE_FILTER_OPTIONS + 2] = cmd_watch_option(&watch);
	r = cmd_parse(ctx, argv, options, CMD_QUEUE_FILTER_OPTIONS + 3, 0, -1, &q.ids);
	if (r != CMD_GO_ON)
		return r;
	r = cmd_queue_check(ctx, &q.filter, &q.ids);
	if (r != 0)
		return r;
	if (limit != NULL && span_to_u64(span_str(limit), UINT32_MAX, &q.limit) != 0)
		return cmd_fail_usage(ctx, "--limit wants a number, not %s", limit);
	return cmd_watch_run(ctx, &watch, show_list, &q);
}

struct details {
	bool json;
	json_t *message;
};

static int
on_show_frame(const struct wire_msg *frame, void *arg)
{
	struct details *d = arg;
	struct listing part;

	if (listing_parse(frame, &part) != 0)
		return cmd_fail(EX_PROTOCOL, "the queue manager's answer is malformed");
	for (size_t i = 0; i < part.nmessages; i++) {
		if (!d->json)
			cmd_queue_print_details(&part.messages[i]);
		else if (d->message == NULL)
			d->message = cmd_queue_details_to_json(&part.messages[i]);
		else
			cmd_queue_recipient_details_to_json(&part.messages[i], d->message);
	}
	listing_release(&part);
	return 0;
}

int
cmd_queue_show(struct cmd_context *ctx, char **argv)
{
	struct cmd_queue_filter none = {.held = false};
	struct details d = {.message = NULL};
	struct cmd_args args;
	struct wire_out w;
	int r = cmd_parse(ctx, argv, NULL, 0, 1, 1, &args);

	if (r != CMD_GO_ON)
		return r;
	r = cmd_queue_check(ctx, &none, &args);
	if (r != 0)
		return r;
	d.json = ctx->json;
	wire_out_init(&w, "show", 1);
	wire_add_str(&w, "message", args.v[0]);
	r = cmd_ask_stream(ctx, &w, on_show_frame, &d);
	if (r == 0 && d.message != NULL)
		return cmd_json_print(d.message);
	json_decref(d.message);
	return r;
}
