/* policy: may this client send mail of this sender? See policy.h. */
#include "conf/account.h"
#include "conf/policy.h"
#include "conf/policy_limits.h"
#include "conf/policy_private.h"

/*
 * Who has logged in sends as himself: his address, its subaddresses, and aliases that lead to him. The null
 * reverse-path is of reports, and anybody's.
 */
static bool
is_not_theirs(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, struct trace *trace, struct policy_answer *answer)
{
	unsigned steps = 0;
	enum lookup l;

	if (client->auth.len == 0 || from->len == 0)
		return false;
	l = account_owns(env, client->auth, from, &steps);
	if (l == LOOKUP_FOUND)
		return false;
	if (l == LOOKUP_UNKNOWN) {
		verdict_set_text(&answer->verdict, VERDICT_TEMPORARY, 451, "4.3.0",
		    "Cannot tell now whose address this is, try again later");
		policy_decide(answer, trace, "cannot-tell");
	} else {
		verdict_set(&answer->verdict, VERDICT_PERMANENT, 553, "5.7.1",
		    "%.*s may not send as %s", SPAN_ARG(client->auth), from->text);
		policy_decide(answer, trace, "sender-not-yours");
	}
	return true;
}

void
policy_mail(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, struct trace *trace, struct policy_answer *answer)
{
	const struct access_table *table;

	policy_begin(answer);
	if (policy_lacks_login(client, trace, answer) ||
	    !policy_obtain_table(env, client, &table, trace, answer))
		return;
	trace_add(trace, "sender <%s>", from->text);
	if (table != NULL &&
	    policy_table_refuses(env, policy_table_address(env, table, ACCESS_FROM, from),
		"sender", 550, "5.7.1", "No mail is taken from this sender", trace, answer))
		return;
	if (is_not_theirs(env, client, from, trace, answer))
		return;
	if (policy_limits_mail(env, client, from, trace, answer))
		return;
	policy_allow(answer, trace, "everybody", "2.1.0");
}
