/*
 * cmd_queue: filters and forms that the queue commands share. See cmd_queue.h.
 */
#include "queue/cmd_queue.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"

void
cmd_queue_filter_options(
    struct cmd_queue_filter *f, struct cmd_option options[CMD_QUEUE_FILTER_OPTIONS])
{
	*f = (struct cmd_queue_filter){NULL, NULL, NULL};
	options[0] = (struct cmd_option){"sender", &f->sender, NULL};
	options[1] = (struct cmd_option){"recipient", &f->recipient, NULL};
	options[2] = (struct cmd_option){"domain", &f->domain, NULL};
}

void
cmd_queue_filter_add(const struct cmd_queue_filter *f, const char *id, struct wire_out *w)
{
	if (id != NULL)
		wire_add_str(w, "id", id);
	if (f->sender != NULL)
		wire_add_str(w, "sender", f->sender);
	if (f->recipient != NULL)
		wire_add_str(w, "recipient", f->recipient);
	if (f->domain != NULL)
		wire_add_str(w, "domain", f->domain);
}

bool
cmd_queue_filter_is_empty(const struct cmd_queue_filter *f)
{
	return f->sender == NULL && f->recipient == NULL && f->domain == NULL;
}

static void
print_recipient(const struct listing_recipient *r)
{
	char next[CLOCK_DATE_SIZE];

	printf("    %-10.*s", SPAN_ARG(r->state));
	cmd_print_span(r->address);
	if (r->attempts > 0)
		printf(", %" PRIu64 " attempt%s", r->attempts, r->attempts == 1 ? "" : "s");
	if (r->next > 0) {
		clock_format_iso(r->next, next);
		printf(", next %s", next);
	}
	putchar('\n');
	if (r->text.len == 0)
		return;
	printf("              ");
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

void
cmd_queue_print_message(const struct listing_message *m)
{
	char size[CMD_SIZE_SIZE], received[CLOCK_DATE_SIZE];

	clock_format_iso(m->received, received);
	printf(
	    "%.*s  %s  %9s  from <", SPAN_ARG(m->id), received, cmd_format_size(m->size, size));
	cmd_print_span(m->from);
	printf(">\n");
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

	json_object_set_new(json, "address", cmd_json_string(r->address));
	json_object_set_new(json, "state", cmd_json_string(r->state));
	json_object_set_new(json, "attempts", json_integer((json_int_t)r->attempts));
	json_object_set_new(json, "next", time_to_json(r->next));
	json_object_set_new(json, "code", json_integer((json_int_t)r->code));
	json_object_set_new(json, "status", cmd_json_string(r->status));
	json_object_set_new(json, "text", cmd_json_string(r->text));
	json_object_set_new(json, "mta", cmd_json_string(r->mta));
	return json;
}

json_t *
cmd_queue_message_to_json(const struct listing_message *m)
{
	json_t *json = json_object(), *recipients = json_array();

	json_object_set_new(json, "id", cmd_json_string(m->id));
	json_object_set_new(json, "from", cmd_json_string(m->from));
	json_object_set_new(json, "size", json_integer((json_int_t)m->size));
	json_object_set_new(json, "received", time_to_json(m->received));
	for (size_t i = 0; i < m->nrecipients; i++)
		json_array_append_new(recipients, recipient_to_json(&m->recipients[i]));
	json_object_set_new(json, "recipients", recipients);
	return json;
}
