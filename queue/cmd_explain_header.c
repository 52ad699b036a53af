/*
 * cmd_explain_header: postrider explain --header-file: every header field of a message with
 * the rule that decides about it, and what becomes of the message. See cmd_explain_header.h, called by cmd_explain. The rules
 * are those in force, as the directory has them; what they make of the message the code finds out that smtpd runs.
 *
 * A message is not parsed with root's rights: they are given up before its first octet is looked at.
 */
#include "queue/cmd_explain_header.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/lineend.h"
#include "common/sandbox.h"
#include "common/xalloc.h"
#include "conf/header_files.h"
#include "queue/cmd_table.h"

#define CHUNK 65536

/* Who we are while a message is parsed; needs no account. */
#define NOBODY 65534

/* Of a field, in the table for people. */
#define SHOWN 120

struct report {
	json_t *fields, *notes;
	json_t *last; /* of fields; borrowed */
};

/* --- fields and rules --- */

static void
on_field(const struct mime_field *f, void *arg)
{
	struct report *r = arg;
	json_t *one = json_object();

	json_object_set_new(one, "line", json_integer(f->line));
	json_object_set_new(one, "in", json_string(mime_where_name(f->where)));
	cmd_json_set(one, "field", f->text);
	if (f->cut)
		json_object_set_new(one, "cut", json_true());
	json_array_append_new(r->fields, one);
	r->last = one;
}

static void
on_rule(const struct header_hit *h, void *arg)
{
	struct report *r = arg;
	char where[PATH_MAX + 16];

	snprintf(where, sizeof where, "%s:%u", h->path, h->rule->line);
	json_object_set_new(r->last, "rule", cmd_json_text(where));
	json_object_set_new(
	    r->last, "action", json_string(header_action_name(h->rule->action)));
	json_object_set_new(r->last, "decoded", json_boolean(h->decoded));
	if (h->text.len > 0)
		json_object_set_new(r->last, "text", cmd_json_string(h->text));
}

static void
on_trouble(const char *text, void *arg)
{
	struct report *r = arg;

	json_array_append_new(r->notes, cmd_json_text(text));
}

/* --- the message --- */

/* Octets of the file with LF line ends, as they would come out of a session. */
static int
feed(struct header_check *c, int fd)
{
	char *octets = xmalloc(CHUNK);
	struct text_end ends;
	struct buf lines;
	ssize_t n;

	text_end_init(&ends, false);
	buf_init(&lines, 2 * CHUNK);
	while ((n = read(fd, octets, CHUNK)) > 0 && c->fate == HEADER_PASSED) {
		struct span in = span_make(octets, (size_t)n);

		buf_clear(&lines);
		(void)text_end_feed(&ends, &in, &lines);
		header_check_feed(c, buf_span(&lines));
	}
	buf_clear(&lines);
	text_end_finish(&ends, &lines);
	header_check_feed(c, buf_span(&lines));
	header_check_finish(c);
	buf_release(&lines);
	free(octets);
	return n < 0 ? -1 : 0;
}

/* --- what is told --- */

static const char *
outcome(const struct header_check *c)
{
	if (c->fate == HEADER_REJECTED)
		return c->verdict.kind == VERDICT_TEMPORARY ? "not now" : "refused";
	return c->fate == HEADER_DISCARDED ? "discarded" : "accepted";
}

static int
status_of(const struct header_check *c)
{
	if (c->fate != HEADER_REJECTED)
		return 0;
	return c->verdict.kind == VERDICT_TEMPORARY ? EX_TEMPFAIL : EX_NOUSER;
}

static void
print_line(const char *what, const char *text)
{
	printf("%s", what);
	cmd_print_span(span_str(text));
	putchar('\n');
}

static void
print_prepended(struct span fields)
{
	while (fields.len > 0) {
		printf("on top: ");
		cmd_print_span(span_cut(&fields, '\n'));
		putchar('\n');
	}
}

static struct span
member(const json_t *one, const char *name)
{
	const char *s = json_string_value(json_object_get(one, name));

	return span_str(s != NULL ? s : "-");
}

/* A field that was folded has tabs in it. */
static void
add_field(struct cmd_table *t, struct span field)
{
	char text[SHOWN];

	field = span_first(field, SHOWN);
	for (size_t i = 0; i < field.len; i++)
		text[i] = (char)(field.p[i] == '\t' ? ' ' : field.p[i]);
	cmd_table_add(t, span_make(text, field.len));
}

static void
print_fields(const struct report *r)
{
	struct cmd_table *t = cmd_table_new(">LINE|IN|RULE|ACTION|FIELD");
	json_t *one;
	size_t i;

	json_array_foreach(r->fields, i, one)
	{
		cmd_table_addf(t, "%d", (int)json_integer_value(json_object_get(one, "line")));
		cmd_table_add(t, member(one, "in"));
		cmd_table_add(t, member(one, "rule"));
		cmd_table_add(t, member(one, "action"));
		add_field(t, member(one, "field"));
	}
	cmd_table_print(t, stdout);
	cmd_table_free(&t);
	json_array_foreach(r->notes, i, one)
	{
		print_line("note: ", json_string_value(one));
	}
}

static void
print_text(const struct header_check *c, const struct report *r, const char *file)
{
	cmd_print_span(span_str(file));
	printf(": %s", outcome(c));
	if (c->fate == HEADER_REJECTED) {
		printf(": %d %s ", c->verdict.code, c->verdict.status);
		cmd_print_span(span_str(c->verdict.text));
	}
	putchar('\n');
	if (c->fate == HEADER_PASSED) {
		if (c->hold != NULL)
			print_line("held: ", c->hold);
		if (c->redirect != NULL)
			print_line("redirected: ", c->redirect);
		print_prepended(buf_span(&c->prepend));
	}
	print_fields(r);
}

static int
print_json(const struct header_check *c, struct report *r, const char *file)
{
	json_t *json = json_object(), *top = json_array();
	struct span prepend = buf_span(&c->prepend);

	cmd_json_set(json, "file", span_str(file));
	cmd_json_set(json, "outcome", span_str(outcome(c)));
	if (c->fate == HEADER_REJECTED) {
		json_object_set_new(json, "code", json_integer(c->verdict.code));
		cmd_json_set(json, "status", span_str(c->verdict.status));
		cmd_json_set(json, "text", span_str(c->verdict.text));
	}
	if (c->fate == HEADER_PASSED && c->hold != NULL)
		cmd_json_set(json, "hold", span_str(c->hold));
	if (c->fate == HEADER_PASSED && c->redirect != NULL)
		cmd_json_set(json, "redirect", span_str(c->redirect));
	while (c->fate == HEADER_PASSED && prepend.len > 0)
		json_array_append_new(top, cmd_json_string(span_cut(&prepend, '\n')));
	json_object_set_new(json, "prepend", top);
	json_object_set(json, "fields", r->fields);
	json_object_set(json, "notes", r->notes);
	return cmd_json_print(json);
}

static int
explain(struct cmd_context *ctx, struct header_set *rules, int fd, const char *file)
{
	static const struct header_check_ops ops = {.on_hit = on_rule,
	    .on_trouble = on_trouble,
	    .on_field = on_field,
	    .on_dunno = on_rule};
	struct report r = {.fields = json_array(), .notes = json_array()};
	struct header_check *c = header_check_new(rules, &ops, &r);
	int status = 0;

	c->hits_max = UINT_MAX;
	if (feed(c, fd) != 0)
		status = cmd_fail(EX_IOERR, "%s: %s", file, strerror(errno));
	else if (ctx->json)
		status = print_json(c, &r, file);
	else
		print_text(c, &r, file);
	status = status != 0 ? status : status_of(c);
	header_check_free(&c);
	json_decref(r.fields);
	json_decref(r.notes);
	return status;
}

/* The rules in force. NULL with *status set after a line on standard error. */
static struct header_set *
get_rules(const struct cmd_context *ctx, int *status)
{
	struct config_errors errors = {0};
	struct control_client *c = NULL;
	struct header_set *set = NULL;
	struct wire_msg answer;
	struct wire_out w;

	wire_out_init(&w, "header-rules", 1);
	*status = cmd_ask(ctx, "directory", &w, &c, &answer);
	if (*status == 0)
		*status = cmd_verdict_status(&answer);
	if (*status == 0) {
		set = header_files_parse(&answer, &errors);
		if (set == NULL)
			*status = cmd_fail(EX_PROTOCOL, "%s",
			    errors.n > 0 ? errors.v[0].text : "there are no rules");
	}
	control_client_close(&c);
	config_errors_release(&errors);
	return set;
}

int
cmd_explain_header(struct cmd_context *ctx, const char *file)
{
	bool standard = strcmp(file, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY), status;
	struct header_set *rules;

	if (fd < 0)
		return cmd_fail(EX_NOINPUT, "%s: %s", file, strerror(errno));
	rules = get_rules(ctx, &status);
	if (rules != NULL) {
		sandbox_enter(&(struct sandbox){.uid = NOBODY, .gid = NOBODY});
		status = explain(ctx, rules, fd, file);
	}
	header_set_unref(&rules);
	if (!standard)
		close(fd);
	return status;
}
