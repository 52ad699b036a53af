/*
 * cmd_queue_print: messages for people and for programs. See cmd_queue_print.h. Called by
 * cmd_queue_list.c. Invariant: what a stranger sent is printed through the escaper only.
 */
#include "queue/cmd_queue_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"

static void
print_verdict(const struct listing_recipient *r)
{
	if (r->mta.len > 0) {
		cmd_print_span(r->mta);
		printf(": ");
	}
	if (r->code > 0)
		printf("%" PRIu64 " ", r->code);
	printf("%.*s ", SPAN_ARG(r->status));
	cmd_print_span(r->text);
	putchar('\n');
}

static void
print_attempts(const struct listing_recipient *r)
{
	if (r->attempts > 0)
		printf(", %" PRIu64 " attempt%s", r->attempts, r->attempts == 1 ? "" : "s");
}

/* Is the destination another than the address itself tells? */
static bool
is_rerouted(const struct listing_recipient *r)
{
	ptrdiff_t at = span_rindex(r->address, '@');

	return r->destination.len > 0 &&
	       !(at >= 0 &&
		   span_eq_nocase(span_skip(r->address, (size_t)at + 1), r->destination));
}

static void
print_recipient(const struct listing_recipient *r)
{
	char next[CLOCK_DATE_SIZE];

	printf("    %-10.*s", SPAN_ARG(r->state));
	cmd_print_span(r->address);
	if (is_rerouted(r)) {
		printf(" by way of ");
		cmd_print_span(r->destination);
	}
	print_attempts(r);
	if (r->next > 0) {
		clock_format_iso(r->next, next);
		printf(", %s %s", r->future ? "future release until" : "next", next);
	}
	if (r->paused.len > 0) {
		printf(", paused: ");
		cmd_print_span(r->paused);
	}
	putchar('\n');
	if (r->text.len == 0)
		return;
	printf("              ");
	print_verdict(r);
}

void
cmd_queue_print_message(const struct listing_message *m)
{
	char size[CMD_SIZE_SIZE], received[CLOCK_DATE_SIZE];

	if (!m->continued) {
		clock_format_iso(m->received, received);
		printf("%.*s  %s  %9s  from <", SPAN_ARG(m->id), received,
		    cmd_format_size(m->size, size));
		cmd_print_span(m->from);
		printf(">\n");
	}
	for (size_t i = 0; i < m->nrecipients; i++)
		print_recipient(&m->recipients[i]);
}

/* A time as text, null where there is none. */
static json_t *
time_to_json(int64_t when)
{
	char text[CLOCK_DATE_SIZE];

	if (when <= 0)
		return json_null();
	clock_format_iso(when, text);
	return json_string(text);
}

static json_t *
recipient_to_json(const struct listing_recipient *r)
{
	json_t *json = json_object();

	cmd_json_set(json, "address", r->address);
	cmd_json_set(json, "state", r->state);
	json_object_set_new(json, "destination", cmd_json_unless_empty(r->destination));
	json_object_set_new(json, "paused", cmd_json_unless_empty(r->paused));
	json_object_set_new(json, "attempts", cmd_json_number(r->attempts));
	json_object_set_new(json, "next", time_to_json(r->next));
	json_object_set_new(json, "future-release", json_boolean(r->future));
	json_object_set_new(json, "code", cmd_json_number(r->code));
	cmd_json_set(json, "status", r->status);
	cmd_json_set(json, "text", r->text);
	cmd_json_set(json, "mta", r->mta);
	return json;
}

void
cmd_queue_recipients_to_json(const struct listing_message *m, json_t *json)
{
	json_t *recipients = json_object_get(json, "recipients");

	for (size_t i = 0; i < m->nrecipients; i++)
		json_array_append_new(recipients, recipient_to_json(&m->recipients[i]));
}

static json_t *
head_to_json(const struct listing_message *m)
{
	json_t *json = json_object();

	cmd_json_set(json, "id", m->id);
	cmd_json_set(json, "from", m->from);
	json_object_set_new(json, "size", cmd_json_number(m->size));
	json_object_set_new(json, "received", time_to_json(m->received));
	return json;
}

json_t *
cmd_queue_message_to_json(const struct listing_message *m)
{
	json_t *json = head_to_json(m);

	json_object_set_new(json, "recipients", json_array());
	cmd_queue_recipients_to_json(m, json);
	return json;
}

/* show */

static void
print_label(const char *label)
{
	printf("  %-10s ", label);
}

static void
print_named(const char *label, struct span text)
{
	if (text.len == 0)
		return;
	print_label(label);
	cmd_print_span(text);
	putchar('\n');
}

static void
print_time(int64_t when)
{
	char text[CLOCK_DATE_SIZE], how_long[CMD_DURATION_SIZE];
	int64_t now = clock_wall();

	clock_format_iso(when, text);
	if (when > now)
		printf(
		    "%s, in %s", text, cmd_format_duration((uint64_t)(when - now), how_long));
	else
		printf(
		    "%s, %s ago", text, cmd_format_duration((uint64_t)(now - when), how_long));
}

static void
print_recipient_details(const struct listing_recipient *r)
{
	printf("recipient %" PRIu64 ": ", r->entry);
	cmd_print_span(r->address);
	putchar('\n');
	print_label("state");
	printf("%.*s", SPAN_ARG(r->state));
	print_attempts(r);
	if (r->expanded)
		printf(", expanded from recipient %" PRIu64, r->parent);
	putchar('\n');
	if (is_rerouted(r))
		print_named("by way of", r->destination);
	if (r->text.len > 0) {
		print_label("last");
		print_verdict(r);
	}
	if (r->next > 0) {
		print_label("next");
		print_time(r->next);
		putchar('\n');
	}
	print_named("why", r->why);
	print_named("paused", r->paused);
	print_named("notify", r->notify);
	print_named("original", r->original);
}

static void
print_head(const struct listing_message *m)
{
	char size[CMD_SIZE_SIZE];

	printf("message %.*s\n", SPAN_ARG(m->id));
	print_label("from");
	printf("<");
	cmd_print_span(m->from);
	printf(">\n");
	print_label("received");
	print_time(m->received);
	putchar('\n');
	print_label("size");
	printf("%s\n", cmd_format_size(m->size, size));
	print_named("client", m->client);
	print_named("helo", m->helo);
	print_named("login", m->auth);
	print_named("uid", m->uid);
	print_named("envid", m->envid);
	print_named("return", m->ret);
}

void
cmd_queue_print_details(const struct listing_message *m)
{
	if (!m->continued)
		print_head(m);
	for (size_t i = 0; i < m->nrecipients; i++)
		print_recipient_details(&m->recipients[i]);
}

void
cmd_queue_recipient_details_to_json(const struct listing_message *m, json_t *json)
{
	json_t *recipients = json_object_get(json, "recipients");

	for (size_t i = 0; i < m->nrecipients; i++) {
		const struct listing_recipient *r = &m->recipients[i];
		json_t *one = recipient_to_json(r);

		json_object_set_new(one, "entry", cmd_json_number(r->entry));
		json_object_set_new(one, "expanded-from",
		    r->expanded ? cmd_json_number(r->parent) : json_null());
		json_object_set_new(one, "why", cmd_json_unless_empty(r->why));
		json_object_set_new(one, "notify", cmd_json_unless_empty(r->notify));
		json_object_set_new(one, "orcpt", cmd_json_unless_empty(r->original));
		json_array_append_new(recipients, one);
	}
}

json_t *
cmd_queue_details_to_json(const struct listing_message *m)
{
	json_t *json = head_to_json(m);
	uint64_t uid;

	json_object_set_new(json, "client", cmd_json_unless_empty(m->client));
	json_object_set_new(json, "helo", cmd_json_unless_empty(m->helo));
	json_object_set_new(json, "auth", cmd_json_unless_empty(m->auth));
	json_object_set_new(json, "uid",
	    span_to_u64(m->uid, UINT32_MAX, &uid) == 0 ? cmd_json_number(uid) : json_null());
	json_object_set_new(json, "envid", cmd_json_unless_empty(m->envid));
	json_object_set_new(json, "ret", cmd_json_unless_empty(m->ret));
	json_object_set_new(json, "recipients", json_array());
	cmd_queue_recipient_details_to_json(m, json);
	return json;
}
