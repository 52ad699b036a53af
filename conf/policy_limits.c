/*
 * policy_limits: how often may it be done? See policy_limits.h. What is asked and
 * what is counted comes from one function, find_limits, so that they cannot differ.
 */
#include "conf/policy_limits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/limits.h"
#include "common/xalloc.h"
#include "conf/policy_private.h"
#include "conf/usage.h"

/* What is counted. */
enum deed { DEED_CONNECTION, DEED_COMMAND, DEED_MESSAGE, DEED_RECIPIENT };

/* One for each kind of key, so that strangers' addresses never displace accounts. */
struct policy_counts {
	struct usage *clients, *accounts, *domains;
};

#define NAME_SIZE  (ADDRESS_MAX + 8)
#define LIMITS_MAX 4

/* A limit that applies to somebody. */
struct limit {
	const char *rule; /* the key that sets it */
	struct units_rate rate;
	struct trace_place place; /* of the key */
	struct usage *table;
	char key[NAME_SIZE + 24]; /* which limit, its period, and whom it concerns as text */
	const char *name;	  /* the latter; in key */
};

struct limits {
	struct limit v[LIMITS_MAX];
	size_t n;
};

static const struct {
	const char *rule;
	enum deed deed;
} rules[CONFIG_RATES] = {
    [RATE_CONNECTION_CLIENT] = {"connection-rate-per-client", DEED_CONNECTION},
    [RATE_CONNECTION_NETWORK] = {"connection-rate-per-network", DEED_CONNECTION},
    [RATE_COMMAND_CLIENT] = {"command-rate-per-client", DEED_COMMAND},
    [RATE_COMMAND_NETWORK] = {"command-rate-per-network", DEED_COMMAND},
    [RATE_MESSAGE_CLIENT] = {"message-rate-per-client", DEED_MESSAGE},
    [RATE_RECIPIENT_CLIENT] = {"recipient-rate-per-client", DEED_RECIPIENT},
    [RATE_MESSAGE_ACCOUNT] = {"message-rate-per-account", DEED_MESSAGE},
    [RATE_RECIPIENT_ACCOUNT] = {"recipient-rate-per-account", DEED_RECIPIENT},
    [RATE_MESSAGE_DOMAIN] = {"message-rate-per-domain", DEED_MESSAGE},
    [RATE_RECIPIENT_DOMAIN] = {"recipient-rate-per-domain", DEED_RECIPIENT},
};

struct policy_counts *
policy_counts_new(void)
{
	struct policy_counts *c = xcalloc(1, sizeof *c);

	c->clients = usage_new(POLICY_COUNTS_MAX);
	c->accounts = usage_new(POLICY_COUNTS_MAX);
	c->domains = usage_new(POLICY_COUNTS_MAX);
	return c;
}

void
policy_counts_free(struct policy_counts **cp)
{
	struct policy_counts *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	usage_free(&c->clients);
	usage_free(&c->accounts);
	usage_free(&c->domains);
	free(c);
}

/* Adds a limit, if it is set. number tells the limits of one table apart. */
static void
add_limit(struct limits *all, unsigned number, const char *rule, const struct units_rate *rate,
    struct trace_place place, struct usage *table, const char *name)
{
	struct limit *l = &all->v[all->n];

	if (rate->count == 0 || all->n == LIMITS_MAX)
		return;
	l->rule = rule;
	l->rate = *rate;
	l->table = table;
	l->place = place;
	snprintf(l->key, sizeof l->key, "%u %" PRIu64 " %s", number, rate->period_ms, name);
	l->name = l->key + strlen(l->key) - strlen(name);
	all->n++;
}

static void
add_configured(const struct resolve_env *env, struct limits *all, enum deed deed,
    enum config_rate which, struct usage *table, const char *name)
{
	if (rules[which].deed == deed)
		add_limit(all, (unsigned)which, rules[which].rule, &env->config->rates[which],
		    (struct trace_place){NULL, env->config->path, 0}, table, name);
}

/* The address with all but its first bits cleared: "192.0.2.0/24"; without the number if those are all. */
static void
format_network(const struct netaddr *a, unsigned bits, char out[NAME_SIZE])
{
	unsigned octets = a->family == AF_INET ? 4 : 16;
	struct netaddr base = *a;
	char text[NETADDR_TEXT_SIZE];

	for (unsigned i = bits / 8; i < octets; i++)
		base.ip[i] = 0;
	netaddr_format(&base, text);
	if (bits == 8 * octets)
		snprintf(out, NAME_SIZE, "%s", text);
	else
		snprintf(out, NAME_SIZE, "%s/%u", text, bits);
}

static void
find_client_limits(const struct resolve_env *env, const struct policy_client *client,
    enum deed deed, struct limits *all)
{
	struct usage *table = env->counts->clients;
	bool ip4 = client->address.family == AF_INET;
	char name[NAME_SIZE], network[NAME_SIZE];

	/* A proxy's own connections, until it has said whose they are, are everybody's. */
	if (client->address.family == 0 || policy_ours(env, client, NULL) != NULL ||
	    config_netblocks_find(&env->config->xclient_from, &client->address) != NULL)
		return;
	if (client->auth.len > 0 && (deed == DEED_MESSAGE || deed == DEED_RECIPIENT))
		return;
	format_network(&client->address, ip4 ? 32 : 64, name);
	format_network(&client->address, ip4 ? 24 : 64, network);
	add_configured(env, all, deed, RATE_CONNECTION_CLIENT, table, name);
	add_configured(env, all, deed, RATE_CONNECTION_NETWORK, table, network);
	add_configured(env, all, deed, RATE_COMMAND_CLIENT, table, name);
	add_configured(env, all, deed, RATE_COMMAND_NETWORK, table, network);
	add_configured(env, all, deed, RATE_MESSAGE_CLIENT, table, name);
	add_configured(env, all, deed, RATE_RECIPIENT_CLIENT, table, name);
}

static void
find_account_limits(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, enum deed deed, struct limits *all)
{
	char name[NAME_SIZE];

	/* Reports about files in drop/, which the queue manager submits as everybody does. */
	if (from->len == 0 && client->role == LISTENER_SUBMIT && client->uid == env->queue_uid)
		return;
	if (client->auth.len > 0)
		snprintf(name, sizeof name, "%.*s", SPAN_ARG(client->auth));
	else if (client->role == LISTENER_SUBMIT)
		snprintf(name, sizeof name, "uid %lu", (unsigned long)client->uid);
	else
		return;
	add_configured(env, all, deed, RATE_MESSAGE_ACCOUNT, env->counts->accounts, name);
	add_configured(env, all, deed, RATE_RECIPIENT_ACCOUNT, env->counts->accounts, name);
}

/* Whose domain the mail counts for: the sender's; with a null reverse-path that of the account. Empty: none. */
static struct span
sending_domain(const struct policy_client *client, const struct address *from)
{
	size_t at = client->auth.len;

	if (from->len > 0)
		return from->literal ? span_str("") : address_domain(from);
	while (at > 0 && client->auth.p[at - 1] != '@')
		at--;
	return span_skip(client->auth, at);
}

static void
find_domain_limits(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, enum deed deed, struct limits *all)
{
	struct usage *table = env->counts->domains;
	struct span name = sending_domain(client, from);
	struct trace_place own;
	struct domain *d = NULL;
	struct buf why;
	enum lookup l;

	if (name.len == 0 || (client->auth.len == 0 && client->role != LISTENER_SUBMIT &&
				 policy_ours(env, client, NULL) == NULL))
		return;
	buf_init(&why, 1024);
	l = env->source.find(env->source.arg, name, &d, &why);
	buf_release(&why);
	if (l != LOOKUP_FOUND)
		return;
	own = (struct trace_place){d->path, "etc/domain.conf", 0};
	add_configured(env, all, deed, RATE_MESSAGE_DOMAIN, table, d->name);
	add_configured(env, all, deed, RATE_RECIPIENT_DOMAIN, table, d->name);
	if (deed == DEED_MESSAGE)
		add_limit(all, CONFIG_RATES, "message-rate", &d->conf.message_rate, own, table,
		    d->name);
	else if (deed == DEED_RECIPIENT)
		add_limit(all, CONFIG_RATES + 1, "recipient-rate", &d->conf.recipient_rate, own,
		    table, d->name);
}

/* All limits that concern such a deed. from: NULL for connections and commands. */
static void
find_limits(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, enum deed deed, struct limits *all)
{
	all->n = 0;
	if (env->counts == NULL)
		return;
	find_client_limits(env, client, deed, all);
	if (from == NULL)
		return;
	find_account_limits(env, client, from, deed, all);
	find_domain_limits(env, client, from, deed, all);
}

/* Rounded up, in the largest unit that tells enough. */
static const char *
format_wait(uint64_t ms, char out[32])
{
	uint64_t seconds = (ms + 999) / 1000;

	if (seconds < 120)
		snprintf(out, 32, "%" PRIu64 " s", seconds);
	else if (seconds < 7200)
		snprintf(out, 32, "%" PRIu64 " min", (seconds + 59) / 60);
	else
		snprintf(out, 32, "%" PRIu64 " h", (seconds + 3599) / 3600);
	return out;
}

static void
refuse(const struct limit *l, enum deed deed, uint64_t count, uint64_t wait_ms,
    struct trace *trace, struct policy_answer *answer)
{
	static const char *const did[] = {[DEED_CONNECTION] = "connections",
	    [DEED_COMMAND] = "commands",
	    [DEED_MESSAGE] = "messages",
	    [DEED_RECIPIENT] = "recipients"};
	bool ends = deed == DEED_CONNECTION || deed == DEED_COMMAND;
	char rate[UNITS_TEXT_SIZE], wait[32];

	verdict_set(&answer->verdict, VERDICT_TEMPORARY, ends ? 421 : 450,
	    ends ? "4.7.0" : "4.7.1",
	    "Limit %s (%s): %s has had %" PRIu64 " %s, try again in %s", l->rule,
	    units_format_rate(&l->rate, rate), l->name, count, did[deed],
	    format_wait(wait_ms, wait));
	answer->limit = true;
	policy_decide(answer, trace, l->rule);
}

/* Is there no place for n more? */
static bool
refuses(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, enum deed deed, uint32_t n, struct trace *trace,
    struct policy_answer *answer)
{
	struct limits all;
	char rate[UNITS_TEXT_SIZE];

	find_limits(env, client, from, deed, &all);
	answer->count = answer->count || all.n > 0;
	for (size_t i = 0; i < all.n; i++) {
		const struct limit *l = &all.v[i];
		struct span key = span_str(l->key);
		uint64_t count = usage_count(l->table, key, l->rate.period_ms, env->now_ms);
		uint64_t wait = usage_wait(l->table, key, &l->rate, n, env->now_ms);

		trace_look(trace, l->rule, l->place, "%s: %s has had %" PRIu64,
		    units_format_rate(&l->rate, rate), l->name, count);
		if (wait > 0) {
			refuse(l, deed, count, wait, trace, answer);
			return true;
		}
	}
	return false;
}

bool
policy_limits_connect(const struct resolve_env *env, const struct policy_client *client,
    struct trace *trace, struct policy_answer *answer)
{
	answer->count = false;
	if (refuses(env, client, NULL, DEED_CONNECTION, 1, trace, answer))
		return true;
	/* Connections are counted as they come; only of commands the session has to tell. */
	answer->count = false;
	return refuses(env, client, NULL, DEED_COMMAND, 1, trace, answer);
}

bool
policy_limits_mail(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, struct trace *trace, struct policy_answer *answer)
{
	if (refuses(env, client, NULL, DEED_COMMAND, 0, trace, answer))
		return true;
	answer->count = false;
	return refuses(env, client, from, DEED_MESSAGE, 1, trace, answer) ||
	       refuses(env, client, from, DEED_RECIPIENT, 1, trace, answer);
}

bool
policy_limits_rcpt(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, struct trace *trace, struct policy_answer *answer)
{
	return refuses(env, client, NULL, DEED_COMMAND, 0, trace, answer) ||
	       refuses(
		   env, client, from, DEED_RECIPIENT, client->recipients + 1, trace, answer);
}

static void
count(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, enum deed deed, uint32_t n)
{
	struct limits all;

	if (n == 0)
		return;
	find_limits(env, client, from, deed, &all);
	for (size_t i = 0; i < all.n; i++)
		usage_add(all.v[i].table, span_str(all.v[i].key), all.v[i].rate.period_ms, n,
		    env->now_ms);
}

void
policy_count_connection(const struct resolve_env *env, const struct policy_client *client)
{
	count(env, client, NULL, DEED_CONNECTION, 1);
}

void
policy_count_commands(
    const struct resolve_env *env, const struct policy_client *client, uint32_t n)
{
	count(env, client, NULL, DEED_COMMAND, n);
}

void
policy_count_message(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, uint32_t recipients)
{
	count(env, client, from, DEED_MESSAGE, 1);
	count(env, client, from, DEED_RECIPIENT, recipients);
}
