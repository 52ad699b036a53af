/*
 * cmd_queue: which messages are meant. See cmd_queue.h. Called by cmd_queue_*.c.
 */
#include "queue/cmd_queue.h"

#include <inttypes.h>
#include <sysexits.h>

#include "conf/units.h"
#include "queue/spool_record.h"

/* The filters that may be given several times. */
struct named_values {
	const char *name;
	const struct cmd_values *values;
};

#define NAMED 7

static void
name_values(const struct cmd_queue_filter *f, struct named_values out[NAMED])
{
	const struct named_values all[NAMED] = {{"sender", &f->sender},
	    {"sender-domain", &f->sender_domain}, {"recipient", &f->recipient},
	    {"domain", &f->domain}, {"destination", &f->destination}, {"reason", &f->reason},
	    {"state", &f->state}};

	for (size_t i = 0; i < NAMED; i++)
		out[i] = all[i];
}

void
cmd_queue_filter_options(
    struct cmd_queue_filter *f, struct cmd_option options[CMD_QUEUE_FILTER_OPTIONS])
{
	const struct cmd_option all[CMD_QUEUE_FILTER_OPTIONS] = {
	    {.name = "sender", .values = &f->sender},
	    {.name = "sender-domain", .values = &f->sender_domain},
	    {.name = "recipient", .values = &f->recipient},
	    {.name = "domain", .values = &f->domain},
	    {.name = "destination", .values = &f->destination},
	    {.name = "reason", .values = &f->reason},
	    {.name = "state", .values = &f->state},
	    {.name = "older", .value = &f->older},
	    {.name = "younger", .value = &f->younger},
	    {.name = "held", .given = &f->held},
	};

	*f = (struct cmd_queue_filter){.held = false};
	for (size_t i = 0; i < CMD_QUEUE_FILTER_OPTIONS; i++)
		options[i] = all[i];
}

static int
check_age(const struct cmd_context *ctx, const char *name, const char *text)
{
	uint64_t ms;

	if (text == NULL || units_parse_duration(span_str(text), &ms) == 0)
		return 0;
	return cmd_fail_usage(
	    ctx, "--%s wants a duration, such as 90s, 30m, 2h or 3d, not %s", name, text);
}

int
cmd_queue_check(
    const struct cmd_context *ctx, const struct cmd_queue_filter *f, const struct cmd_args *ids)
{
	uint64_t number;
	int r = check_age(ctx, "older", f->older);

	if (r == 0)
		r = check_age(ctx, "younger", f->younger);
	for (int i = 0; r == 0 && i < ids->n; i++)
		if (spool_id_parse(span_str(ids->v[i]), &number) != 0)
			r = cmd_fail(EX_USAGE,
			    "%s is no message id; one looks like 0000000700001", ids->v[i]);
	return r;
}

static void
add_age(struct wire_out *w, const char *name, const char *text)
{
	uint64_t ms;

	if (text != NULL && units_parse_duration(span_str(text), &ms) == 0)
		wire_add_u64(w, name, ms / 1000);
}

void
cmd_queue_filter_add(const struct cmd_queue_filter *f, struct wire_out *w)
{
	struct named_values named[NAMED];

	name_values(f, named);
	for (size_t i = 0; i < NAMED; i++)
		for (size_t k = 0; k < named[i].values->n; k++)
			wire_add_str(w, named[i].name, named[i].values->v[k]);
	if (f->held)
		wire_add_str(w, "state", "held");
	add_age(w, "older", f->older);
	add_age(w, "younger", f->younger);
}

void
cmd_queue_ids_add(char *const *ids, int n, struct wire_out *w)
{
	for (int i = 0; i < n; i++)
		wire_add_str(w, "id", ids[i]);
}

bool
cmd_queue_filter_is_empty(const struct cmd_queue_filter *f)
{
	struct named_values named[NAMED];
	size_t n = 0;

	name_values(f, named);
	for (size_t i = 0; i < NAMED; i++)
		n += named[i].values->n;
	return n == 0 && f->older == NULL && f->younger == NULL && !f->held;
}

/* In single quotes, unless nothing in it means anything to a shell. */
static void
quote(struct buf *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789@%+=:,./_-";

	if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
		buf_add_str(out, text);
		return;
	}
	buf_add_char(out, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			buf_add_str(out, "'\\''");
		else
			buf_add_char(out, *text);
	}
	buf_add_char(out, '\'');
}

void
cmd_queue_filter_quote(const struct cmd_queue_filter *f, struct buf *out)
{
	struct named_values named[NAMED];

	name_values(f, named);
	for (size_t i = 0; i < NAMED; i++) {
		for (size_t k = 0; named[i].values != &f->state && k < named[i].values->n;
		     k++) {
			buf_addf(out, " --%s ", named[i].name);
			quote(out, named[i].values->v[k]);
		}
	}
	if (f->older != NULL)
		buf_addf(out, " --older %s", f->older);
	if (f->younger != NULL)
		buf_addf(out, " --younger %s", f->younger);
}

int
cmd_queue_say_unknown(const struct wire_msg *m)
{
	int r = 0;

	for (size_t i = 0; i < m->nfields; i++)
		if (span_is(m->fields[i].name, "unknown"))
			r = cmd_fail(EX_NOINPUT, "%.*s: no such message in the queue",
			    SPAN_ARG(m->fields[i].value));
	return r;
}
