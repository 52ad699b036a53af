/* explain_facts: what the DNS says, for explain. See explain_facts.h. Called by cmd_explain. */
#include "queue/explain_facts.h"

/* What the answer wants to know, as unknown; and into the question, too. */
static void
take_wants(const struct wire_msg *answer, struct facts *known, struct wire_out *w)
{
	for (size_t i = 0; i < answer->nfields; i++) {
		enum fact_kind kind;
		struct span name;

		if (!span_is(answer->fields[i].name, "want") ||
		    fact_want_parse(answer->fields[i].value, &kind, &name) != 0)
			continue;
		facts_set_result(known, kind, name, FACT_UNKNOWN);
		wire_add(w, "want", answer->fields[i].value);
	}
}

static void
take_facts(const struct wire_msg *m, struct facts *known)
{
	for (size_t i = 0; i < m->nfields; i++) {
		struct fact f;

		if (span_is(m->fields[i].name, "fact") &&
		    fact_parse(m->fields[i].value, &f) == 0)
			facts_set(known, &f);
	}
}

size_t
explain_facts_find(const struct cmd_context *ctx, const char *client,
    const struct wire_msg *answer, struct facts *known)
{
	struct control_client *c = NULL;
	struct wire_msg told;
	struct wire_out w;

	wire_out_init(&w, "facts", 1);
	wire_add_str(&w, "client", client);
	take_wants(answer, known, &w);
	if (known->n == 0) {
		wire_out_release(&w);
		return 0;
	}
	if (cmd_ask(ctx, "dns", &w, &c, &told) == 0)
		take_facts(&told, known);
	control_client_close(&c);
	return known->n;
}

void
explain_facts_add(const struct facts *known, struct wire_out *w)
{
	struct buf line;

	buf_init(&line, FACT_TEXT_MAX);
	for (size_t i = 0; i < known->n; i++) {
		buf_clear(&line);
		fact_format(&known->v[i], &line);
		wire_add(w, "fact", buf_span(&line));
	}
	buf_release(&line);
}
