/* policy: may this client send mail to this recipient? See policy.h. */
#include <string.h>

#include "common/buf.h"
#include "conf/policy.h"
#include "conf/policy_limits.h"
#include "conf/policy_quota.h"
#include "conf/policy_private.h"

/* Does the access table let this client relay, or anybody to this recipient? */
static bool
table_relays(const struct access_table *table, const struct policy_client *client,
    const struct policy_recipient *rcpt)
{
	const struct access_entry *e =
	    table != NULL ? policy_table_client(table, client) : NULL;

	return (e != NULL && e->action == ACCESS_RELAY) ||
	       (rcpt->line != NULL && rcpt->line->action == ACCESS_RELAY);
}

/* What the access table says of a recipient, and of who sends to it. True if it refuses; else rcpt has its line. */
static bool
table_decides(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, struct policy_recipient *rcpt, const struct access_table *table,
    struct trace *trace, struct policy_answer *answer)
{
	if (table == NULL)
		return false;
	if (policy_table_refuses(env, policy_table_client(table, client), "client", 550,
		"5.7.1", "No mail is taken from this host", trace, answer) ||
	    policy_table_refuses(env, policy_table_address(env, table, ACCESS_FROM, from),
		"sender", 550, "5.7.1", "No mail is taken from this sender", trace, answer))
		return true;
	rcpt->line = policy_table_address(env, table, ACCESS_TO, rcpt->address);
	return policy_table_refuses(env, rcpt->line, "recipient", 550, "5.2.1",
	    "No mail is taken for this recipient", trace, answer);
}

/* The DNS did not say who this client is, and there are clients who may relay by their names. */
static bool
name_might_relay(const struct access_table *table, const struct policy_client *client)
{
	const struct fact *f = facts_find(client->facts, FACT_PTR, span_str("-"));

	return table != NULL && access_table_spares_names(table) && f != NULL &&
	       (f->result == FACT_TEMPORARY || f->result == FACT_UNKNOWN);
}

/* A domain that is not hosted here: who may send there through us? */
static void
decide_relay(const struct resolve_env *env, const struct policy_client *client,
    const struct policy_recipient *rcpt, const struct access_table *table, struct trace *trace,
    struct policy_answer *answer)
{
	const struct config *c = env->config;
	const char *ours = NULL;
	const char *domain =
	    address_domain(rcpt->address).p; /* it ends where the address does */
	const char *relay = policy_relay_domain(env, domain);
	const struct trace_place here = {NULL, c->path, 0};
	char name[NETADDR_TEXT_SIZE];

	if (client->role == LISTENER_SUBMIT) {
		policy_allow(answer, trace, "local-user", "2.1.5");
	} else if (client->role == LISTENER_SUBMISSION) {
		policy_allow(answer, trace, "login", "2.1.5");
	} else if ((ours = policy_ours(env, client, trace)) != NULL) {
		policy_allow(answer, trace, ours, "2.1.5");
	} else if (relay != NULL) {
		trace_look(trace, "relay-domains", here, "%s", relay);
		policy_allow(answer, trace, "relay-domains", "2.1.5");
	} else if (table_relays(table, client, rcpt)) {
		policy_allow(answer, trace, "access-table", "2.1.5");
	} else if (name_might_relay(table, client)) {
		verdict_set_text(&answer->verdict, VERDICT_TEMPORARY, 451, "4.7.1",
		    "Cannot tell your name now, and with it whether you may relay");
		policy_decide(answer, trace, "client-name");
	} else {
		trace_look(trace, "relay-domains", here, "%s is not in it", domain);
		verdict_set(&answer->verdict, VERDICT_PERMANENT, 550, "5.7.1",
		    "Relaying denied: %s is not hosted here and %s is no client of ours",
		    domain, policy_client_name(client, name));
		policy_decide(answer, trace, "relay-denied");
	}
}

/* The rule's name for why the resolver refuses a hosted recipient. */
static const char *
rule_of(const struct verdict *v)
{
	if (v->kind == VERDICT_TEMPORARY)
		return "cannot-tell";
	if (strcmp(v->status, "5.1.1") == 0)
		return "no-such-user";
	return strcmp(v->status, "5.1.2") == 0 ? "address-literal" : "alias-loop";
}

/*
 * Is the message that was announced too large for the recipient's domain? One that was not is measured by
 * smtpd, which is told the limit.
 */
static bool
size_refuses(const struct domain *d, const struct policy_client *client,
    const struct address *rcpt, struct trace *trace, struct policy_answer *answer)
{
	char text[UNITS_TEXT_SIZE];

	answer->size_limit = d->conf.message_size_limit;
	if (answer->size_limit == 0)
		return false;
	trace_look(trace, "message-size-limit",
	    (struct trace_place){d->path, "etc/domain.conf", 0}, "%s",
	    units_format_size(answer->size_limit, text));
	if (client->size <= answer->size_limit)
		return false;
	verdict_set(&answer->verdict, VERDICT_PERMANENT, 552, "5.3.4",
	    "%s takes messages of up to %s octets", rcpt->text, text);
	policy_decide(answer, trace, "message-size-limit");
	return true;
}

static void
decide_rcpt(const struct resolve_env *env, const struct policy_client *client,
    const struct policy_recipient *rcpt, const struct access_table *table, struct trace *trace,
    struct policy_answer *answer)
{
	const struct address *address = rcpt->address;
	struct domain *d = NULL;
	struct resolution r;
	enum lookup l = LOOKUP_FOUND;
	bool full;
	struct buf why;

	buf_init(&why, 1024);
	/* The bare postmaster is ours in any case; a literal never is. */
	if (address_domain(address).len > 0 && !address->literal)
		l = env->source.find(env->source.arg, address_domain(address), &d, &why);
	buf_release(&why);
	if (l == LOOKUP_NOT_FOUND) {
		trace_look(trace, "domains",
		    (struct trace_place){NULL, env->config->domains, 0},
		    "%.*s is not hosted here", SPAN_ARG(address_domain(address)));
		decide_relay(env, client, rcpt, table, trace, answer);
		return;
	}
	/* As sendmail has it: what is thrown away goes to nobody, so nobody has to be there. */
	if (answer->action == POLICY_DISCARD) {
		trace_add(trace, "whether %s is there is not asked", address->text);
		policy_allow(answer, trace, "hosted", "2.1.5");
		return;
	}
	/* Could not tell included: the resolver says why. */
	resolve(env, address, RESOLVE_ANY, trace, &r);
	answer->verdict = r.verdict;
	full = policy_quota_refuses(env, client, address, &r, trace, answer);
	resolution_release(&r);
	if (full)
		return;
	if (answer->verdict.kind == VERDICT_OK && d != NULL &&
	    size_refuses(d, client, address, trace, answer))
		return;
	if (answer->verdict.kind == VERDICT_OK)
		policy_allow(answer, trace, "hosted", "2.1.5");
	else
		policy_decide(answer, trace, rule_of(&answer->verdict));
}

void
policy_rcpt(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, const struct address *rcpt, struct trace *trace,
    struct policy_answer *answer)
{
	struct policy_recipient to = {rcpt, NULL};
	const struct access_table *table;
	struct verdict held;

	policy_begin(answer);
	if (policy_lacks_login(client, trace, answer) ||
	    !policy_obtain_table(env, client, &table, trace, answer) ||
	    table_decides(env, client, from, &to, table, trace, answer))
		return;
	held = answer->verdict;
	if (to.line != NULL && to.line->action == ACCESS_DISCARD) /* whoever sends it */
		policy_allow(answer, trace, "access-table", "2.1.5");
	else
		decide_rcpt(env, client, &to, table, trace, answer);
	if (answer->verdict.kind != VERDICT_OK ||
	    policy_dns_refuses(env, client, from, &to, table, trace, answer) ||
	    policy_limits_rcpt(env, client, from, trace, answer) ||
	    answer->action == POLICY_DELIVER)
		return;
	if (answer->action == POLICY_QUARANTINE)
		answer->verdict = held;
	trace_add(trace, "%s",
	    answer->action == POLICY_DISCARD ? "accepted and thrown away"
					     : "accepted and held");
}
