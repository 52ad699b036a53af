/* policy: who may send what to whom. See policy.h. */
#include "conf/policy.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

static void
decide(struct policy_answer *a, struct trace *trace, const char *rule)
{
	a->rule = rule;
	trace_add(trace, "rule %s: %s %s %s", rule, verdict_kind_name(a->verdict.kind),
	    a->verdict.status, a->verdict.text);
}

static void
allow(struct policy_answer *a, struct trace *trace, const char *rule, const char *status)
{
	verdict_set(&a->verdict, VERDICT_OK, 250, status, "Ok");
	decide(a, trace, rule);
}

/* The client as a person reading the reply knows it. */
static const char *
client_name(const struct policy_client *client, char out[NETADDR_TEXT_SIZE])
{
	if (client->address.family == 0)
		snprintf(out, NETADDR_TEXT_SIZE, "uid %lu", (unsigned long)client->uid);
	else
		netaddr_format(&client->address, out);
	return out;
}

void
policy_connect(const struct resolve_env *env, const struct policy_client *client,
    struct trace *trace, struct policy_answer *answer)
{
	(void)env, (void)client;
	allow(answer, trace, "everybody", "2.0.0");
}

/* Does the role want a login that is not there? The answer is made then. */
static bool
lacks_login(
    const struct policy_client *client, struct trace *trace, struct policy_answer *answer)
{
	if (client->role != LISTENER_SUBMISSION || client->auth.len > 0)
		return false;
	verdict_set(&answer->verdict, VERDICT_PERMANENT, 530, "5.7.0",
	    "Log in first: this port takes mail of users only");
	decide(answer, trace, "login-required");
	return true;
}

void
policy_mail(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, struct trace *trace, struct policy_answer *answer)
{
	(void)env;
	if (lacks_login(client, trace, answer))
		return;
	trace_add(trace, "sender <%s>", from->text);
	allow(answer, trace, "everybody", "2.1.0");
}

/* The block that contains the address, or NULL. */
static const struct netblock *
find_block(const struct config_netblocks *blocks, const struct netaddr *a)
{
	for (size_t i = 0; a->family != 0 && i < blocks->n; i++) {
		if (netblock_contains(&blocks->v[i], a))
			return &blocks->v[i];
	}
	return NULL;
}

static int
compare_domain(const void *key, const void *element)
{
	return strcmp(key, *(char *const *)element);
}

/* The entry of relay-domains for a canonical domain: itself, or a parent's with a leading dot. NULL: none. */
static const char *
find_relay_domain(const struct config_strings *list, const char *domain)
{
	char **found = list->n == 0
			   ? NULL
			   : bsearch(domain, list->v, list->n, sizeof *list->v, compare_domain);

	for (const char *dot = strchr(domain, '.'); found == NULL && list->n > 0 && dot != NULL;
	     dot = strchr(dot + 1, '.'))
		found = bsearch(dot, list->v, list->n, sizeof *list->v, compare_domain);
	return found != NULL ? *found : NULL;
}

/* A domain that is not hosted here: who may send there through us? */
static void
decide_relay(const struct resolve_env *env, const struct policy_client *client,
    const struct address *rcpt, struct trace *trace, struct policy_answer *answer)
{
	const struct config *c = env->config;
	const struct netblock *block = find_block(&c->relay_from, &client->address);
	const char *domain = address_domain(rcpt).p; /* it ends where the address does */
	const char *relay = find_relay_domain(&c->relay_domains, domain);
	char name[NETADDR_TEXT_SIZE];

	if (client->role == LISTENER_SUBMIT) {
		allow(answer, trace, "local-user", "2.1.5");
	} else if (client->role == LISTENER_SUBMISSION) {
		allow(answer, trace, "login", "2.1.5");
	} else if (block != NULL) {
		trace_add(trace, "%s: relay-from has %s/%u", c->path,
		    netaddr_format(&block->base, name), block->bits);
		allow(answer, trace, "relay-from", "2.1.5");
	} else if (relay != NULL) {
		trace_add(trace, "%s: relay-domains has %s", c->path, relay);
		allow(answer, trace, "relay-domains", "2.1.5");
	} else {
		verdict_set(&answer->verdict, VERDICT_PERMANENT, 550, "5.7.1",
		    "Relaying denied: %s is not hosted here and %s is no client of ours",
		    domain, client_name(client, name));
		decide(answer, trace, "relay-denied");
	}
}

/* The rule's name for what the resolver said about a hosted recipient. */
static const char *
rule_of(const struct verdict *v)
{
	if (v->kind == VERDICT_OK)
		return "hosted";
	if (v->kind == VERDICT_TEMPORARY)
		return "cannot-tell";
	if (strcmp(v->status, "5.1.1") == 0)
		return "no-such-user";
	return strcmp(v->status, "5.1.2") == 0 ? "address-literal" : "alias-loop";
}

void
policy_rcpt(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, const struct address *rcpt, struct trace *trace,
    struct policy_answer *answer)
{
	struct domain *d = NULL;
	struct resolution r;
	enum lookup l = LOOKUP_FOUND;
	struct buf why;

	(void)from;
	if (lacks_login(client, trace, answer))
		return;
	buf_init(&why, 1024);
	/* The bare postmaster is ours in any case; a literal never is. */
	if (address_domain(rcpt).len > 0 && !rcpt->literal)
		l = env->source.find(env->source.arg, address_domain(rcpt), &d, &why);
	buf_release(&why);
	if (l == LOOKUP_NOT_FOUND) {
		trace_add(trace, "%.*s is not hosted here", SPAN_ARG(address_domain(rcpt)));
		decide_relay(env, client, rcpt, trace, answer);
		return;
	}
	/* Could not tell included: the resolver says why. */
	resolve(env, rcpt, RESOLVE_ANY, trace, &r);
	answer->verdict = r.verdict;
	if (r.verdict.kind == VERDICT_OK)
		verdict_set(&answer->verdict, VERDICT_OK, 250, "2.1.5", "Ok");
	resolution_release(&r);
	decide(answer, trace, rule_of(&answer->verdict));
}
