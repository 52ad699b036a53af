/*
 * cmd_explain: postrider explain: what becomes of an address, and why: the verdict,
 * the rule that decided, each step with file and line, the targets. The directory
 * process answers with the same code that decides for real.
 */
#include <stdio.h>
#include <sysexits.h>

#include "queue/cmd_table.h"
#include "queue/cmd_verbs.h"

static int
status_of(const struct verdict *v)
{
	return v->kind == VERDICT_OK	      ? 0
	       : v->kind == VERDICT_PERMANENT ? EX_NOUSER
					      : EX_TEMPFAIL;
}

static void
print_text(const char *address, const struct verdict *v, const struct wire_msg *m)
{
	static const char *const words[] = {[VERDICT_OK] = "accepted",
	    [VERDICT_TEMPORARY] = "not now",
	    [VERDICT_PERMANENT] = "refused"};
	struct cmd_table *t = cmd_table_new("TARGET|ADDRESS|DESTINATION");
	struct span rule = {"", 0};
	unsigned step = 0;

	wire_get(m, "rule", &rule);
	cmd_print_span(span_str(address));
	printf(": %s: ", words[v->kind]);
	if (v->code != 0)
		printf("%d ", v->code);
	printf("%s ", v->status);
	cmd_print_span(span_str(v->text));
	printf("\nrule: ");
	cmd_print_span(rule);
	putchar('\n');
	for (size_t i = 0; i < m->nfields; i++) {
		if (!span_is(m->fields[i].name, "step"))
			continue;
		printf("%3u  ", ++step);
		cmd_print_span(m->fields[i].value);
		putchar('\n');
	}
	for (size_t i = 0; i + 2 < m->nfields; i++) {
		for (size_t j = 0; j < 3 && span_is(m->fields[i].name, "target"); j++)
			cmd_table_add(t, m->fields[i + j].value);
	}
	cmd_table_print(t, stdout);
	cmd_table_free(&t);
}

static int
print_json(const char *address, const struct verdict *v, const struct wire_msg *m)
{
	json_t *json = json_object(), *steps = json_array(), *targets = json_array();
	struct span rule = {"", 0};

	wire_get(m, "rule", &rule);
	json_object_set_new(json, "address", cmd_json_string(span_str(address)));
	json_object_set_new(json, "kind", json_string(verdict_kind_name(v->kind)));
	json_object_set_new(json, "code", json_integer(v->code));
	json_object_set_new(json, "status", json_string(v->status));
	json_object_set_new(json, "text", cmd_json_string(span_str(v->text)));
	json_object_set_new(json, "rule", cmd_json_string(rule));
	json_object_set_new(json, "steps", steps);
	json_object_set_new(json, "targets", targets);
	for (size_t i = 0; i < m->nfields; i++) {
		json_t *one;

		if (span_is(m->fields[i].name, "step"))
			json_array_append_new(steps, cmd_json_string(m->fields[i].value));
		if (!span_is(m->fields[i].name, "target") || i + 2 >= m->nfields)
			continue;
		one = json_object();
		json_object_set_new(one, "target", cmd_json_string(m->fields[i].value));
		json_object_set_new(one, "address", cmd_json_string(m->fields[i + 1].value));
		json_object_set_new(
		    one, "destination", cmd_json_string(m->fields[i + 2].value));
		json_array_append_new(targets, one);
	}
	return cmd_print_json(json);
}

int
cmd_explain(struct cmd_context *ctx, char **argv)
{
	const char *client = NULL, *helo = NULL, *from = NULL, *auth = NULL;
	const struct cmd_option options[] = {
	    {.name = "client", .value = &client},
	    {.name = "helo", .value = &helo},
	    {.name = "from", .value = &from},
	    {.name = "auth", .value = &auth},
	};
	struct control_client *c;
	struct cmd_args args;
	struct wire_msg answer;
	struct wire_out w;
	struct verdict v;
	int r = cmd_parse(ctx, argv, options, 4, 1, 1, &args);

	if (r != CMD_GO_ON)
		return r;
	if (client == NULL && (helo != NULL || auth != NULL))
		return cmd_fail_usage(ctx, "--helo and --auth want --client ADDRESS");
	wire_out_init(&w, "explain", 1);
	wire_add_str(&w, "address", args.v[0]);
	for (size_t i = 0; i < 4; i++) {
		if (*options[i].value != NULL)
			wire_add_str(&w, options[i].name, *options[i].value);
	}
	r = cmd_ask(ctx, "directory", &w, &c, &answer);
	if (r == 0 && wire_get_verdict(&answer, &v) != 0)
		r = cmd_fail(EX_PROTOCOL, "the directory's answer has no verdict");
	if (r == 0) {
		if (ctx->json)
			r = print_json(args.v[0], &v, &answer);
		else
			print_text(args.v[0], &v, &answer);
		r = r != 0 ? r : status_of(&v);
	}
	control_client_close(&c);
	return r;
}
