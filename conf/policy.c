/* policy: what the questions have in common. See policy.h; the questions are policy_<question>.c. */
#include "conf/policy.h"

#include <stdlib.h>
#include <string.h>

#include "conf/policy_private.h"

void
policy_begin(struct policy_answer *answer)
{
	*answer = (struct policy_answer){.action = POLICY_DELIVER};
	verdict_init(&answer->verdict);
}

void
policy_decide(struct policy_answer *a, struct trace *trace, const char *rule)
{
	a->rule = rule;
	trace_add(trace, "rule %s: %s %s %s", rule, verdict_kind_name(a->verdict.kind),
	    a->verdict.status, a->verdict.text);
}

/* As smtpd says it. */
static const char *
text_of(const char *status)
{
	return strcmp(status, "2.1.5") == 0   ? "Recipient OK"
	       : strcmp(status, "2.1.0") == 0 ? "Sender OK"
					      : "OK";
}

void
policy_allow(struct policy_answer *a, struct trace *trace, const char *rule, const char *status)
{
	verdict_set_text(&a->verdict, VERDICT_OK, 250, status, text_of(status));
	policy_decide(a, trace, rule);
}

const char *
policy_client_name(const struct policy_client *client, char out[NETADDR_TEXT_SIZE])
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

bool
policy_obtain_table(const struct resolve_env *env, const struct policy_client *client,
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
	policy_decide(answer, trace, "access-table");
	return false;
}

const struct access_entry *
policy_table_client(const struct access_table *table, const struct policy_client *client)
{
	static const struct netaddr nobody;
	const struct fact *f = facts_find(client->facts, FACT_PTR, span_str("-"));
	const struct access_entry *e;

	if (f != NULL && f->result == FACT_CONFIRMED)
		return access_table_find_client(table, &client->address, span_str(f->name));
	if (f != NULL && f->result == FACT_UNCONFIRMED) {
		e = access_table_find_client(table, &nobody, span_str(f->name));
		if (e != NULL && e->action != ACCESS_OK && e->action != ACCESS_RELAY)
			return e;
	}
	return access_table_find_client(table, &client->address, span_str(""));
}

const struct access_entry *
policy_table_address(const struct resolve_env *env, const struct access_table *table,
    enum access_tag tag, const struct address *a)
{
	const char *separators = "+";
	struct domain *d = NULL;
	struct buf why;

	/* Most local parts have none of any kind, and whose domain it is need not be known. */
	if (strcspn(a->text, DOMAIN_SEPARATORS) < address_local(a).len && !a->literal &&
	    address_domain(a).len > 0) {
		buf_init(&why, 1024);
		if (env->source.find(env->source.arg, address_domain(a), &d, &why) ==
		    LOOKUP_FOUND)
			separators = d->conf.separators;
		buf_release(&why);
	}
	return access_table_find_address(table, tag, a, separators);
}

bool
policy_table_refuses(const struct resolve_env *env, const struct access_entry *e,
    const char *of, int code, const char *status, const char *text, struct trace *trace,
    struct policy_answer *answer)
{
	struct trace_place place = {NULL, access_file_path(env->senders), 0};

	if (e == NULL) {
		trace_look(trace, "access table", place, "nothing about this %s", of);
		return false;
	}
	place.line = e->line;
	trace_look(
	    trace, "access table", place, "%s %s", e->key, access_action_name(e->action));
	switch (e->action) {
	case ACCESS_REJECT:
		verdict_set_text(&answer->verdict, VERDICT_PERMANENT, code, status, text);
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
	policy_decide(answer, trace, "access-table");
	return true;
}

static int
compare_domain(const void *key, const void *element)
{
	return strcmp(key, *(char *const *)element);
}

const char *
policy_relay_domain(const struct resolve_env *env, const char *domain)
{
	const struct config_strings *list = &env->config->relay_domains;
	char **found = list->n == 0
			   ? NULL
			   : bsearch(domain, list->v, list->n, sizeof *list->v, compare_domain);

	for (const char *dot = strchr(domain, '.'); found == NULL && list->n > 0 && dot != NULL;
	     dot = strchr(dot + 1, '.'))
		found = bsearch(dot, list->v, list->n, sizeof *list->v, compare_domain);
	return found != NULL ? *found : NULL;
}

bool
policy_lacks_login(
    const struct policy_client *client, struct trace *trace, struct policy_answer *answer)
{
	if (client->role != LISTENER_SUBMISSION || client->auth.len > 0)
		return false;
	verdict_set_text(&answer->verdict, VERDICT_PERMANENT, 530, "5.7.0",
	    "Log in first: this port takes mail of users only");
	policy_decide(answer, trace, "login-required");
	return true;
}

bool
policy_make_public(const struct policy_client *client, struct policy_answer *a)
{
	if (a->verdict.kind != VERDICT_TEMPORARY || strcmp(a->verdict.status, "4.3.5") != 0)
		return false;
	if (client->role != LISTENER_SUBMIT)
		verdict_set_text(&a->verdict, VERDICT_TEMPORARY, 451, "4.3.5",
		    "This address is configured wrongly here, try again later");
	return true;
}
