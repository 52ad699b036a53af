/*
 * cmd_queue_summary: postrider queue summary: how much waits for whom and since when, and
 * when it will be gone if things go on as in the last minutes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "common/clock.h"
#include "queue/cmd_queue.h"
#include "queue/cmd_table.h"
#include "queue/cmd_verbs.h"
#include "queue/cmd_watch.h"
#include "queue/summary.h"

#define ROWS_USUAL 20 /* in the terminal */
#define BAR	   12

/* One row of the answer, or the totals in front. */
struct row {
	struct span name;
	uint64_t messages, recipients, held, active, delivered, oldest;
	uint64_t ages[SUMMARY_AGES];
	size_t nages;
	bool paused;
	struct span note;
};

struct view {
	bool json, began, first;
	const char *by;
	uint64_t rows, shown, window, most; /* most: recipients of the first row */
	uint64_t messages, recipients, oldest;
	struct cmd_table *table;
	struct buf notes;
};

struct question {
	struct cmd_queue_filter filter;
	struct cmd_args ids;
	const char *by;
	uint64_t limit; /* 0: what is usual */
};

/* Reads fields from i on, up to the next row; where that begins. */
static size_t
read_row(const struct wire_msg *m, size_t i, struct row *r)
{
	static const struct {
		const char *name;
		size_t at;
	} numbers[] = {{"messages", offsetof(struct row, messages)},
	    {"recipients", offsetof(struct row, recipients)},
	    {"held", offsetof(struct row, held)}, {"active", offsetof(struct row, active)},
	    {"delivered", offsetof(struct row, delivered)},
	    {"oldest", offsetof(struct row, oldest)}};

	*r = (struct row){.name = {"", 0}};
	if (i < m->nfields && span_is(m->fields[i].name, "name"))
		r->name = m->fields[i++].value;
	for (; i < m->nfields && !span_is(m->fields[i].name, "name"); i++) {
		const struct wire_field *f = &m->fields[i];

		for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
			if (span_is(f->name, numbers[k].name))
				(void)span_to_u64(f->value, INT64_MAX,
				    (uint64_t *)(void *)((char *)r + numbers[k].at));
		if (span_is(f->name, "age") && r->nages < SUMMARY_AGES)
			(void)span_to_u64(f->value, INT64_MAX, &r->ages[r->nages++]);
		else if (span_is(f->name, "paused"))
			r->paused = true;
		else if (span_is(f->name, "note"))
			r->note = f->value;
	}
	return i;
}

/* Recipients that nothing but time keeps from being delivered. */
static uint64_t
free_to_go(const struct row *r)
{
	return r->paused ? 0 : r->recipients - r->held;
}

static void
add_forecast(const struct view *v, const struct row *r)
{
	int64_t seconds = summary_forecast(free_to_go(r), r->delivered, v->window);
	char text[CMD_DURATION_SIZE];

	if (r->paused)
		cmd_table_addf(v->table, "paused");
	else if (free_to_go(r) == 0)
		cmd_table_addf(v->table, "held");
	else if (seconds < 0)
		cmd_table_addf(
		    v->table, "no deliveries in the last %" PRIu64 " min", v->window / 60);
	else
		cmd_table_addf(v->table, "about %s, at %.1f/min",
		    cmd_format_duration((uint64_t)seconds, text),
		    (double)r->delivered * 60 / (double)v->window);
}

static void
add_cells(const struct view *v, const struct row *r)
{
	char bar[BAR + 1] = "";
	size_t len = v->most > 0 ? (size_t)((r->recipients * BAR + v->most - 1) / v->most) : 0;

	cmd_table_addf(v->table, "%" PRIu64, r->recipients);
	for (size_t i = 0; i < SUMMARY_AGES; i++) {
		if (r->ages[i] > 0)
			cmd_table_addf(v->table, "%" PRIu64, r->ages[i]);
		else
			cmd_table_addf(v->table, ".");
	}
	for (size_t i = 0; i < len && i < BAR; i++)
		bar[i] = '#';
	cmd_table_addf(v->table, "%s", bar);
}

static void
print_row(struct view *v, const struct row *r)
{
	if (v->most == 0)
		v->most = r->recipients;
	if (r->name.len > 0)
		cmd_table_add(v->table, r->name);
	else
		cmd_table_addf(v->table, "(none)");
	add_cells(v, r);
	if (v->window > 0)
		add_forecast(v, r);
	if (r->note.len > 0) {
		buf_add_span(&v->notes, r->note);
		buf_add_char(&v->notes, '\n');
	}
}

static void
add_numbers(json_t *json, const struct row *r)
{
	json_t *ages = json_array();
	char oldest[CLOCK_DATE_SIZE];

	json_object_set_new(json, "messages", cmd_json_number(r->messages));
	json_object_set_new(json, "recipients", cmd_json_number(r->recipients));
	for (size_t i = 0; i < SUMMARY_AGES; i++)
		json_array_append_new(ages, cmd_json_number(r->ages[i]));
	json_object_set_new(json, "ages", ages);
	clock_format_iso((int64_t)r->oldest, oldest);
	json_object_set_new(
	    json, "oldest", r->recipients > 0 ? json_string(oldest) : json_null());
	json_object_set_new(json, "held", cmd_json_number(r->held));
	json_object_set_new(json, "active", cmd_json_number(r->active));
}

static void
row_to_json(struct view *v, const struct row *r)
{
	json_t *json = json_object();
	int64_t seconds = summary_forecast(free_to_go(r), r->delivered, v->window);

	cmd_json_set(json, "name", r->name);
	add_numbers(json, r);
	if (v->window > 0) {
		json_object_set_new(json, "paused", json_boolean(r->paused));
		json_object_set_new(json, "delivered", cmd_json_number(r->delivered));
		json_object_set_new(json, "forecast-seconds",
		    seconds >= 0 && free_to_go(r) > 0 ? json_integer(seconds) : json_null());
		json_object_set_new(json, "note", cmd_json_unless_empty(r->note));
	}
	cmd_json_array_add(json, v->first);
	v->first = false;
}

static void
begin(struct view *v, const struct wire_msg *frame)
{
	v->began = true;
	(void)wire_get_u64(frame, "rows", INT64_MAX, &v->rows);
	(void)wire_get_u64(frame, "messages", INT64_MAX, &v->messages);
	(void)wire_get_u64(frame, "recipients", INT64_MAX, &v->recipients);
	(void)wire_get_u64(frame, "oldest", INT64_MAX, &v->oldest);
	(void)wire_get_u64(frame, "window", INT64_MAX, &v->window);
	if (v->json)
		cmd_json_array_begin("rows");
	else
		v->table = cmd_table_new(
		    v->window > 0 ? "DESTINATION|>TOTAL|><10m|><1h|><4h|><12h|><1d|><2d|>older|"
				    "SHARE|EMPTY IN"
		    : strcmp(v->by, "domain") == 0
			? "DOMAIN|>TOTAL|><10m|><1h|><4h|><12h|><1d|><2d|>older|SHARE"
			: "SENDER DOMAIN|>TOTAL|><10m|><1h|><4h|><12h|><1d|><2d|>older|SHARE");
}

static void
end(struct view *v)
{
	uint64_t now = (uint64_t)clock_wall();
	char age[CMD_DURATION_SIZE];

	if (v->json) {
		json_t *limits = json_array();

		for (size_t i = 0; i < SUMMARY_AGES - 1; i++)
			json_array_append_new(limits, cmd_json_number(summary_age_limits[i]));
		cmd_json_array_end();
		cmd_json_array_member("by", json_string(v->by));
		cmd_json_array_member("age-limits", limits);
		cmd_json_array_member("window-seconds", cmd_json_number(v->window));
		cmd_json_array_member("total-rows", cmd_json_number(v->rows));
		cmd_json_array_member("total-messages", cmd_json_number(v->messages));
		cmd_json_array_member("total-recipients", cmd_json_number(v->recipients));
		(void)cmd_json_array_finish();
		return;
	}
	if (v->recipients == 0) {
		printf("Nothing waits.\n");
		return;
	}
	printf("%" PRIu64 " recipient%s in %" PRIu64 " message%s; the oldest came %s ago\n\n",
	    v->recipients, v->recipients == 1 ? "" : "s", v->messages,
	    v->messages == 1 ? "" : "s",
	    cmd_format_duration(now > v->oldest ? now - v->oldest : 0, age));
	cmd_table_print(v->table, stdout);
	if (v->shown < v->rows)
		printf("and %" PRIu64 " more: --limit shows them\n", v->rows - v->shown);
	if (v->notes.len > 0) {
		putchar('\n');
		fputs(buf_str(&v->notes), stdout);
	}
}

static int
on_frame(const struct wire_msg *frame, void *arg)
{
	struct view *v = arg;
	struct row r;
	size_t i = 0;

	if (!v->began) {
		begin(v, frame);
		i = read_row(frame, 0, &r); /* the totals */
	}
	while (i < frame->nfields) {
		size_t next = read_row(frame, i, &r);

		if (next == i)
			return cmd_fail(EX_PROTOCOL, "the queue manager's answer is malformed");
		i = next;
		v->shown++;
		if (v->json)
			row_to_json(v, &r);
		else
			print_row(v, &r);
	}
	if (span_is(frame->verb, "end"))
		end(v);
	return ferror(stdout) != 0 ? EX_IOERR : 0;
}

static int
show_summary(struct cmd_context *ctx, void *arg)
{
	const struct question *q = arg;
	struct view v = {.json = ctx->json, .first = true, .by = q->by};
	struct wire_out w;
	uint64_t limit = q->limit;
	int r;

	if (limit == 0)
		limit = ctx->json ? UINT64_MAX : ROWS_USUAL;
	buf_init(&v.notes, 1U << 20);
	wire_out_init(&w, "summary", 1);
	cmd_queue_filter_add(&q->filter, &w);
	cmd_queue_ids_add(q->ids.v, q->ids.n, &w);
	wire_add_str(&w, "by", q->by);
	wire_add_u64(&w, "limit", limit);
	r = cmd_ask_stream(ctx, &w, on_frame, &v);
	cmd_table_free(&v.table);
	buf_release(&v.notes);
	return r;
}

int
cmd_queue_summary(struct cmd_context *ctx, char **argv)
{
	struct cmd_option options[CMD_QUEUE_FILTER_OPTIONS + 3];
	struct question q = {.by = "destination"};
	struct cmd_watch watch = {.given = false};
	const char *limit = NULL;
	int r;

	cmd_queue_filter_options(&q.filter, options);
	options[CMD_QUEUE_FILTER_OPTIONS] =
	    (struct cmd_option){.name = "limit", .value = &limit};
	options[CMD_QUEUE_FILTER_OPTIONS + 1] =
	    (struct cmd_option){.name = "by", .value = &q.by};
	options[CMD_QUEUE_FILTER_OPTIONS + 2] = cmd_watch_option(&watch);
	r = cmd_parse(ctx, argv, options, CMD_QUEUE_FILTER_OPTIONS + 3, 0, -1, &q.ids);
	if (r != CMD_GO_ON)
		return r;
	r = cmd_queue_check(ctx, &q.filter, &q.ids);
	if (r != 0)
		return r;
	if (limit != NULL &&
	    (span_to_u64(span_str(limit), UINT32_MAX, &q.limit) != 0 || q.limit == 0))
		return cmd_fail_usage(ctx, "--limit wants a number from 1, not %s", limit);
	return cmd_watch_run(ctx, &watch, show_summary, &q);
}
