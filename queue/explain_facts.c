/* explain_facts: what the DNS says, for explain. See explain_facts.h. Called by cmd_explain. */
#include "queue/explain_facts.h"

size_t
explain_facts_find(const struct cmd_context *ctx, const char *client,
    const struct wire_msg *answer, struct facts *known)
{
	struct control_client *c = NULL;
	struct wire_msg told;
	struct wire_out w;

	(void)facts_from_wants(known, answer);
	if (known->n == 0)
		return 0;
	wire_out_init(&w, "facts", 1);
	wire_add_str(&w, "client", client);
	for (size_t i = 0; i < known->n; i++)
		wire_addf(
		    &w, "want", "%s %s", fact_kind_name(known->v[i].kind), known->v[i].name);
	if (cmd_ask(ctx, "dns", &w, &c, &told) == 0)
		(void)facts_from_wire(known, &told);
	control_client_close(&c);
	return known->n;
}
