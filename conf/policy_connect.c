/* policy: may this client connect? See policy.h. */
#include "conf/policy.h"
#include "conf/policy_limits.h"
#include "conf/policy_private.h"

static void
decide(const struct resolve_env *env, const struct policy_client *client, struct trace *trace,
    struct policy_answer *answer)
{
	const struct access_table *table;

	policy_begin(answer);
	if (!policy_obtain_table(env, client, &table, trace, answer))
		return;
	/* A name goes before an address, and is not known yet. */
	if (table != NULL && access_table_spares_names(table))
		trace_add(
		    trace, "the access table has names that may spare clients: RCPT decides");
	else if (table != NULL &&
		 policy_table_refuses(env,
		     access_table_find_client(table, &client->address, span_str("")), "client",
		     554, "5.7.1", "No mail is taken from this host", trace, answer))
		return;
	if (policy_limits_connect(env, client, trace, answer))
		return;
	policy_allow(answer, trace, "everybody", "2.0.0");
}

void
policy_connect(const struct resolve_env *env, const struct policy_client *client,
    struct trace *trace, struct policy_answer *answer)
{
	decide(env, client, trace, answer);
	/* RFC 5321 3.1: what may stand in the place of a greeting. */
	if (answer->verdict.kind != VERDICT_OK)
		answer->verdict.code = answer->verdict.kind == VERDICT_PERMANENT ? 554 : 421;
}
