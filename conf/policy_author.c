/*
 * policy_author: may an account say that a message is from these addresses? See policy.h.
 * Asked when the message of somebody who has logged in is whole (check-header-from).
 */
#include "conf/account.h"
#include "conf/policy.h"
#include "conf/policy_private.h"

/* Aliases and their targets that are looked at for one message: others wait meanwhile. */
#define STEPS_MAX 10000

/* Not theirs, or unclear: refused, or only told. */
static void
object(const struct resolve_env *env, const char *rule, struct trace *trace,
    struct policy_answer *answer)
{
	trace_add(trace, "%s: check-header-from = %s", env->config->path,
	    config_check_name(env->config->check_header_from));
	if (env->config->check_header_from == CHECK_REJECT) {
		policy_decide(answer, trace, rule);
		return;
	}
	answer->warnings[0] = (struct policy_warning){.rule = rule};
	snprintf(answer->warnings[0].text, sizeof answer->warnings[0].text, "%s",
	    answer->verdict.text);
	answer->nwarnings = 1;
	policy_allow(answer, trace, "everybody", "2.6.0");
}

/* True if it decided. field is "From" or "Sender". */
static bool
is_not_theirs(const struct resolve_env *env, const struct policy_client *client,
    const struct policy_author *author, unsigned *steps, struct trace *trace,
    struct policy_answer *answer)
{
	enum lookup l = account_owns(env, client->auth, &author->address, steps);

	trace_add(trace, "%.*s <%s>", SPAN_ARG(author->field), author->address.text);
	if (l == LOOKUP_FOUND)
		return false;
	if (l == LOOKUP_UNKNOWN && env->config->check_header_from == CHECK_REJECT) {
		verdict_set(&answer->verdict, VERDICT_TEMPORARY, 451, "4.3.0",
		    "Cannot tell now whose address %s is, try again later",
		    author->address.text);
		policy_decide(answer, trace, "cannot-tell");
		return true;
	}
	verdict_set(&answer->verdict, VERDICT_PERMANENT, 550, "5.7.1",
	    "%.*s may not send as %s, which stands in the field %.*s", SPAN_ARG(client->auth),
	    author->address.text, SPAN_ARG(author->field));
	object(env, "header-from-not-yours", trace, answer);
	return true;
}

void
policy_author(const struct resolve_env *env, const struct policy_client *client,
    const struct policy_author *authors, size_t n, struct span unclear, struct trace *trace,
    struct policy_answer *answer)
{
	unsigned steps = 0;

	answer->action = POLICY_DELIVER;
	answer->nwarnings = 0;
	if (env->config->check_header_from == CHECK_OFF || client->auth.len == 0) {
		policy_allow(answer, trace, "everybody", "2.6.0");
		return;
	}
	for (size_t i = 0; i < n && steps <= STEPS_MAX; i++) {
		if (is_not_theirs(env, client, &authors[i], &steps, trace, answer))
			return;
		if (steps > STEPS_MAX && i + 1 < n)
			unclear = span_str("too many addresses stand behind From and Sender");
	}
	if (unclear.len > 0) {
		verdict_set(&answer->verdict, VERDICT_PERMANENT, 550, "5.6.0",
		    "Cannot tell whom this message is from: %.*s", SPAN_ARG(unclear));
		object(env, "header-from-unclear", trace, answer);
		return;
	}
	policy_allow(answer, trace, "everybody", "2.6.0");
}
