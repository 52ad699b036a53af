/*
 * cmd_explain: postrider explain: what becomes of an address, and why: the verdict,
 * the rule that decided, each step with file and line or key, the targets. The
 * directory process answers with the same code that decides for real.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/netaddr.h"
#include "conf/fingerprint.h"
#include "queue/cmd_explain_header.h"
#include "queue/cmd_table.h"
#include "queue/cmd_verbs.h"
#include "queue/explain_facts.h"

static int
status_of(const struct verdict *v)
{
	return v->kind == VERDICT_OK	      ? 0
	       : v->kind == VERDICT_PERMANENT ? EX_NOUSER
					      : EX_TEMPFAIL;
}

/* The fields that tell one step follow each other: step, stage, what, where. */
#define STEP_FIELDS 4

struct step {
	struct span outcome, stage, what, where;
};

/* The next step after field *i, which moves on; false: there is none. */
static bool
next_step(const struct wire_msg *m, size_t *i, struct step *s)
{
	const struct wire_field *f;

	while (*i < m->nfields && !span_is(m->fields[*i].name, "step"))
		++*i;
	if (*i + STEP_FIELDS > m->nfields)
		return false;
	f = &m->fields[*i];
	*s = (struct step){f[0].value, f[1].value, f[2].value, f[3].value};
	*i += STEP_FIELDS;
	return true;
}

static void
print_step(unsigned number, const struct step *s)
{
	printf("%3u  ", number);
	if (s->stage.len > 0) {
		cmd_print_span(s->stage);
		printf(": ");
	}
	if (s->where.len > 0) {
		cmd_print_span(s->where);
		printf(": ");
	}
	if (s->what.len > 0) {
		cmd_print_span(s->what);
		printf(": ");
	}
	cmd_print_span(s->outcome);
	putchar('\n');
}

static struct span
get(const struct wire_msg *m, const char *name)
{
	struct span s = {"", 0};

	wire_get(m, name, &s);
	return s;
}

static void
print_text(const char *address, const struct verdict *v, const struct wire_msg *m)
{
	static const char *const words[] = {[VERDICT_OK] = "accepted",
	    [VERDICT_TEMPORARY] = "not now",
	    [VERDICT_PERMANENT] = "refused"};
	struct cmd_table *t = cmd_table_new("TARGET|ADDRESS|DESTINATION");
	struct span reason = get(m, "reason");
	struct step step;
	unsigned number = 0;
	size_t i = 0;

	cmd_print_span(span_str(address));
	printf(": %s: ", words[v->kind]);
	if (v->code != 0)
		printf("%d ", v->code);
	printf("%s ", v->status);
	cmd_print_span(span_str(v->text));
	printf("\nrule: ");
	cmd_print_span(get(m, "rule"));
	printf("\naction: ");
	cmd_print_span(get(m, "action"));
	if (reason.len > 0)
		printf(" (");
	cmd_print_span(reason);
	printf(reason.len > 0 ? ")\n" : "\n");
	while (next_step(m, &i, &step))
		print_step(++number, &step);
	for (i = 0; i + 2 < m->nfields; i++) {
		for (size_t j = 0; j < 3 && span_is(m->fields[i].name, "target"); j++)
			cmd_table_add(t, m->fields[i + j].value);
	}
	cmd_table_print(t, stdout);
	cmd_table_free(&t);
}

static json_t *
json_of_steps(const struct wire_msg *m)
{
	json_t *steps = json_array();
	struct step s;
	size_t i = 0;

	while (next_step(m, &i, &s)) {
		json_t *one = json_object();

		cmd_json_set(one, "stage", s.stage);
		cmd_json_set(one, "what", s.what);
		cmd_json_set(one, "where", s.where);
		cmd_json_set(one, "outcome", s.outcome);
		json_array_append_new(steps, one);
	}
	return steps;
}

static json_t *
json_of_targets(const struct wire_msg *m)
{
	json_t *targets = json_array();

	for (size_t i = 0; i + 2 < m->nfields; i++) {
		json_t *one;

		if (!span_is(m->fields[i].name, "target"))
			continue;
		one = json_object();
		cmd_json_set(one, "target", m->fields[i].value);
		cmd_json_set(one, "address", m->fields[i + 1].value);
		cmd_json_set(one, "destination", m->fields[i + 2].value);
		json_array_append_new(targets, one);
	}
	return targets;
}

static int
print_json(const char *address, const struct verdict *v, const struct wire_msg *m)
{
	json_t *json = json_object();

	cmd_json_set(json, "address", span_str(address));
	json_object_set_new(json, "kind", json_string(verdict_kind_name(v->kind)));
	json_object_set_new(json, "code", json_integer(v->code));
	json_object_set_new(json, "status", json_string(v->status));
	cmd_json_set(json, "text", span_str(v->text));
	cmd_json_set(json, "rule", get(m, "rule"));
	cmd_json_set(json, "action", get(m, "action"));
	if (get(m, "reason").len > 0)
		cmd_json_set(json, "reason", get(m, "reason"));
	json_object_set_new(json, "steps", json_of_steps(m));
	json_object_set_new(json, "targets", json_of_targets(m));
	return cmd_json_print(json);
}

/* What the command line says, in the order of the table in cmd_explain. */
struct wish {
	const char *rcpt, *from, *client, *helo, *auth, *role;
	const char *header_from; /* what From of the message says */
	const char *certificate; /* of the client: a fingerprint */
	bool verified;		 /* that certificate */
	const char *header_file; /* a message to be checked, and no address */
	/* What client and certificate point to when they have been read. */
	char address[NETADDR_TEXT_SIZE], fingerprint[FINGERPRINT_SIZE];
};

static void
format_question(const struct wish *w, struct wire_out *out)
{
	wire_out_init(out, "explain", 1);
	wire_add_str(out, "address", w->rcpt);
	if (w->client == NULL)
		return;
	wire_add_str(out, "client", w->client);
	if (w->from != NULL)
		wire_add_str(out, "from", w->from);
	/* Who logs in does so at a port for that, unless told otherwise. */
	wire_add_str(out, "role",
	    w->role != NULL   ? w->role
	    : w->auth != NULL ? "submission"
			      : "mx");
	if (w->helo != NULL)
		wire_add_str(out, "helo", w->helo);
	if (w->auth != NULL)
		wire_add_str(out, "auth", w->auth);
	if (w->certificate != NULL)
		wire_add_str(out, "certificate", w->certificate);
	if (w->verified)
		wire_add_str(out, "verified", "yes");
	if (w->header_from != NULL)
		wire_add_str(out, "header-from", w->header_from);
}

/* The client's address, perhaps in brackets, as the log has it; else the exit status. */
static int
read_client(struct wish *w)
{
	struct span typed = span_str(w->client);
	struct netaddr a;

	if (typed.len > 2 && typed.p[0] == '[' && typed.p[typed.len - 1] == ']')
		typed = span_make(typed.p + 1, typed.len - 2);
	if (netaddr_parse(typed, &a) != 0)
		return cmd_fail(EX_USAGE, "--client %s: expected an IP address", w->client);
	w->client = netaddr_format(&a, w->address);
	return CMD_GO_ON;
}

static int
read_certificate(struct cmd_context *ctx, struct wish *w)
{
	if (w->certificate == NULL)
		return w->verified
			   ? cmd_fail_usage(ctx, "--client-cert-verified wants --client-cert")
			   : CMD_GO_ON;
	if (fingerprint_parse(span_str(w->certificate), w->fingerprint) != 0)
		return cmd_fail(EX_USAGE,
		    "--client-cert %s: expected a SHA-256, 64 hexadecimal digits",
		    w->certificate);
	w->certificate = w->fingerprint;
	return CMD_GO_ON;
}

/* The recipient, after --rcpt or alone; else the exit status. */
static int
check(struct cmd_context *ctx, struct wish *w, const struct cmd_args *args)
{
	int r;

	if ((w->rcpt != NULL) == (args->n > 0))
		return cmd_fail_usage(ctx, "one recipient, please: ADDRESS or --rcpt ADDRESS");
	if (w->rcpt == NULL)
		w->rcpt = args->v[0];
	if (w->client == NULL && (w->from != NULL || w->helo != NULL || w->auth != NULL ||
				     w->role != NULL || w->certificate != NULL || w->verified))
		return cmd_fail_usage(ctx,
		    "--from, --helo, --auth, --role and --client-cert want --client ADDRESS");
	if (w->header_from != NULL && w->auth == NULL)
		return cmd_fail_usage(
		    ctx, "--header-from wants --auth ACCOUNT: nobody else is held to it");
	if (w->role != NULL && strcmp(w->role, "mx") != 0 && strcmp(w->role, "submission") != 0)
		return cmd_fail_usage(ctx, "--role is mx or submission");
	if (w->client == NULL)
		return CMD_GO_ON;
	r = read_client(w);
	return r == CMD_GO_ON ? read_certificate(ctx, w) : r;
}

static int
explain_header(struct cmd_context *ctx, const struct wish *w, const struct cmd_args *args)
{
	if (args->n > 0 || w->rcpt != NULL || w->from != NULL || w->client != NULL ||
	    w->helo != NULL || w->auth != NULL || w->role != NULL || w->certificate != NULL ||
	    w->verified || w->header_from != NULL)
		return cmd_fail_usage(ctx, "--header-file stands alone");
	return cmd_explain_header(ctx, w->header_file);
}

/* Asks the directory, and again with what the DNS says if it wants to know that. As cmd_ask. */
static int
ask(struct cmd_context *ctx, const struct wish *wish, struct control_client **c,
    struct wire_msg *answer)
{
	struct facts known = {.n = 0};
	struct wire_out w;
	int r;

	format_question(wish, &w);
	r = cmd_ask(ctx, "directory", &w, c, answer);
	if (r == 0 && wish->client != NULL &&
	    explain_facts_find(ctx, wish->client, answer, &known) > 0) {
		control_client_close(c);
		format_question(wish, &w);
		facts_to_wire(&known, &w);
		r = cmd_ask(ctx, "directory", &w, c, answer);
	}
	facts_release(&known);
	return r;
}

int
cmd_explain(struct cmd_context *ctx, char **argv)
{
	struct wish wish = {.rcpt = NULL};
	const struct cmd_option options[] = {
	    {.name = "rcpt", .value = &wish.rcpt},
	    {.name = "from", .value = &wish.from},
	    {.name = "client", .value = &wish.client},
	    {.name = "helo", .value = &wish.helo},
	    {.name = "auth", .value = &wish.auth},
	    {.name = "role", .value = &wish.role},
	    {.name = "client-cert", .value = &wish.certificate},
	    {.name = "client-cert-verified", .given = &wish.verified},
	    {.name = "header-from", .value = &wish.header_from},
	    {.name = "header-file", .value = &wish.header_file},
	};
	struct control_client *c;
	struct cmd_args args;
	struct wire_msg answer;
	struct verdict v;
	int r = cmd_parse(ctx, argv, options, sizeof options / sizeof *options, 0, 1, &args);

	if (r == CMD_GO_ON && wish.header_file != NULL)
		return explain_header(ctx, &wish, &args);
	if (r == CMD_GO_ON)
		r = check(ctx, &wish, &args);
	if (r != CMD_GO_ON)
		return r;
	r = ask(ctx, &wish, &c, &answer);
	if (r == 0 && wire_get_verdict(&answer, &v) != 0)
		r = cmd_fail(EX_PROTOCOL, "the directory's answer has no verdict");
	if (r == 0) {
		if (ctx->json)
			r = print_json(wish.rcpt, &v, &answer);
		else
			print_text(wish.rcpt, &v, &answer);
		r = r != 0 ? r : status_of(&v);
	}
	control_client_close(&c);
	return r;
}
