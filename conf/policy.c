/* policy: who may send what to whom. See policy.h. */
#include "conf/policy.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "conf/account.h"

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

const char *
policy_action_name(enum policy_action action)
{
	static const char *const names[] = {"deliver", "quarantine", "discard"};

	return names[action];
}

/* The access table, as far as it concerns this client. False: it cannot be told, and answer says so. */
static bool
obtain_table(const struct resolve_env *env, const struct policy_client *client,
    const struct access_table **table, struct trace *trace, struct policy_answer *answer)
{
	*table = NULL;
	if (env->senders == NULL || client->role == LISTENER_SUBMIT)
		return true;
	*table = access_file_table(env->senders);
	if (*table != NULL)
		return true;
	verdict_set(&answer->verdict, VERDICT_TEMPORARY, 451, "4.3.5",
	    "%s: the access table cannot be read, see the log", access_file_path(env->senders));
	decide(answer, trace, "access-table");
	return false;
}

/*
 * What a line of the access table says: true if it decides against; REJECT is refused with code, status and text.
 * A line that has mail held or thrown away is remembered in answer, and decides nothing else.
 */
static bool
table_refuses(const struct resolve_env *env, const struct access_entry *e, int code,
    const char *status, const char *text, struct trace *trace, struct policy_answer *answer)
{
	if (e == NULL)
		return false;
	trace_add(trace, "%s:%u: %s %s", access_file_path(env->senders), e->line, e->key,
	    access_action_name(e->action));
	switch (e->action) {
	case ACCESS_REJECT:
		verdict_set(&answer->verdict, VERDICT_PERMANENT, code, status, "%s", text);
		break;
	case ACCESS_ERROR:
		answer->verdict = e->verdict;
		break;
	case ACCESS_DISCARD:
		answer->action = POLICY_DISCARD;
		return false;
	case ACCESS_QUARANTINE:
		if (answer->action == POLICY_DELIVER) {
			answer->action = POLICY_QUARANTINE;
			answer->verdict = e->verdict;
		}
		return false;
	case ACCESS_OK:
	case ACCESS_RELAY:
	case ACCESS_SKIP:
		return false;
	}
	decide(answer, trace, "access-table");
	return true;
}

void
policy_connect(const struct resolve_env *env, const struct policy_client *client,
    struct trace *trace, struct policy_answer *answer)
{
	const struct access_table *table;

	answer->action = POLICY_DELIVER;
	if (!obtain_table(env, client, &table, trace, answer))
		return;
	if (table != NULL &&
	    table_refuses(env, access_table_find_client(table, &client->address, span_str("")),
		554, "5.7.1", "No mail is taken from this host", trace, answer))
		return;
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

/*
 * Who has logged in sends as himself: his address, its subaddresses, and aliases that lead to him. The null
 * reverse-path is of reports, and anybody's.
 */
static bool
is_not_theirs(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, struct trace *trace, struct policy_answer *answer)
{
	enum lookup l;

	if (client->auth.len == 0 || from->len == 0)
		return false;
	l = account_owns(env, client->auth, from);
	if (l == LOOKUP_FOUND)
		return false;
	if (l == LOOKUP_UNKNOWN) {
		verdict_set(&answer->verdict, VERDICT_TEMPORARY, 451, "4.3.0",
		    "Cannot tell now whose address this is, try again later");
		decide(answer, trace, "cannot-tell");
	} else {
		verdict_set(&answer->verdict, VERDICT_PERMANENT, 553, "5.7.1",
		    "%.*s may not send as %s", SPAN_ARG(client->auth), from->text);
		decide(answer, trace, "sender-not-yours");
	}
	return true;
}

void
policy_mail(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, struct trace *trace, struct policy_answer *answer)
{
	const struct access_table *table;

	answer->action = POLICY_DELIVER;
	if (lacks_login(client, trace, answer) ||
	    !obtain_table(env, client, &table, trace, answer))
		return;
	trace_add(trace, "sender <%s>", from->text);
	if (table != NULL &&
	    table_refuses(env, access_table_find_address(table, ACCESS_FROM, from), 550,
		"5.7.1", "No mail is taken from this sender", trace, answer))
		return;
	if (is_not_theirs(env, client, from, trace, answer))
		return;
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

/* Does the access table let this client relay, or anybody to this recipient? */
static bool
table_relays(const struct access_table *table, const struct policy_client *client,
    const struct address *rcpt)
{
	const struct access_entry *e;

	if (table == NULL)
		return false;
	e = access_table_find_client(table, &client->address, span_str(""));
	if (e != NULL && e->action == ACCESS_RELAY)
		return true;
	e = access_table_find_address(table, ACCESS_TO, rcpt);
	return e != NULL && e->action == ACCESS_RELAY;
}

/* What the access table says of a recipient, and of who sends to it. True if it refuses. */
static bool
table_decides(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, const struct address *rcpt, const struct access_table *table,
    struct trace *trace, struct policy_answer *answer)
{
	return table != NULL &&
	       (table_refuses(env,
		    access_table_find_client(table, &client->address, span_str("")), 550,
		    "5.7.1", "No mail is taken from this host", trace, answer) ||
		   table_refuses(env, access_table_find_address(table, ACCESS_FROM, from), 550,
		       "5.7.1", "No mail is taken from this sender", trace, answer) ||
		   table_refuses(env, access_table_find_address(table, ACCESS_TO, rcpt), 550,
		       "5.2.1", "No mail is taken for this recipient", trace, answer));
}

/* A domain that is not hosted here: who may send there through us? */
static void
decide_relay(const struct resolve_env *env, const struct policy_client *client,
    const struct address *rcpt, const struct access_table *table, struct trace *trace,
    struct policy_answer *answer)
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
	} else if (table_relays(table, client, rcpt)) {
		allow(answer, trace, "access-table", "2.1.5");
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

static void
decide_rcpt(const struct resolve_env *env, const struct policy_client *client,
    const struct address *rcpt, const struct access_table *table, struct trace *trace,
    struct policy_answer *answer)
{
	struct domain *d = NULL;
	struct resolution r;
	enum lookup l = LOOKUP_FOUND;
	struct buf why;

	buf_init(&why, 1024);
	/* The bare postmaster is ours in any case; a literal never is. */
	if (address_domain(rcpt).len > 0 && !rcpt->literal)
		l = env->source.find(env->source.arg, address_domain(rcpt), &d, &why);
	buf_release(&why);
	if (l == LOOKUP_NOT_FOUND) {
		trace_add(trace, "%.*s is not hosted here", SPAN_ARG(address_domain(rcpt)));
		decide_relay(env, client, rcpt, table, trace, answer);
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

void
policy_rcpt(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, const struct address *rcpt, struct trace *trace,
    struct policy_answer *answer)
{
	const struct access_table *table;
	struct verdict held;

	answer->action = POLICY_DELIVER;
	if (lacks_login(client, trace, answer) ||
	    !obtain_table(env, client, &table, trace, answer) ||
	    table_decides(env, client, from, rcpt, table, trace, answer))
		return;
	held = answer->verdict;
	decide_rcpt(env, client, rcpt, table, trace, answer);
	if (answer->verdict.kind != VERDICT_OK || answer->action == POLICY_DELIVER)
		return;
	if (answer->action == POLICY_QUARANTINE)
		answer->verdict = held;
	trace_add(trace, "%s",
	    answer->action == POLICY_DISCARD ? "accepted and thrown away"
					     : "accepted and held");
}
