/*
 * policy_private: what the files policy_*.c share, and nobody else includes. A
 * question is a file policy_<question>.c, a group of checks a file of its own
 * (policy_<what>.c) with a function for each question that it has a say in:
 * true if it decided, and answer holds the verdict and the rule.
 */
#ifndef CONF_POLICY_PRIVATE_H
#define CONF_POLICY_PRIVATE_H

#include <stdbool.h>

#include "conf/access_file.h"
#include "conf/policy.h"

/* A recipient that is asked about, and the line of the access table about it, looked up once: NULL if there is none. */
struct policy_recipient {
	const struct address *address;
	const struct access_entry *line;
};

/* Nothing is decided yet: answer without a verdict and a rule. */
void policy_begin(struct policy_answer *answer);

/* The verdict in answer is final: notes which rule made it (a static word), as a step too. */
void policy_decide(struct policy_answer *answer, struct trace *trace, const char *rule);

/* 250 with this enhanced status, because of rule. */
void policy_allow(
    struct policy_answer *answer, struct trace *trace, const char *rule, const char *status);

/* The client as a person reading the reply knows it, in out: returns out. */
const char *policy_client_name(const struct policy_client *client, char out[NETADDR_TEXT_SIZE]);

/*
 * The access table, as far as it concerns this client: NULL if it does not or there is none. False: it
 * cannot be told, and answer says so.
 */
bool policy_obtain_table(const struct resolve_env *env, const struct policy_client *client,
    const struct access_table **table, struct trace *trace, struct policy_answer *answer);

/*
 * What a line of the access table says (NULL: no line) of a client, sender or recipient (the word is `of`): true if it
 * decides against; REJECT is refused with code, status and text. A line that has mail held or thrown away is remembered in answer, and decides nothing else.
 */
bool policy_table_refuses(const struct resolve_env *env, const struct access_entry *e,
    const char *of, int code, const char *status, const char *text, struct trace *trace,
    struct policy_answer *answer);

/* Does the role want a login that is not there? The answer is made then. */
bool policy_lacks_login(
    const struct policy_client *client, struct trace *trace, struct policy_answer *answer);

/*
 * The line of the access table (not NULL) about a sender or recipient, or NULL. What separates a subaddress from its user is
 * for the owner of a hosted domain to say; in others it is sendmail's plus sign.
 */
const struct access_entry *policy_table_address(const struct resolve_env *env,
    const struct access_table *table, enum access_tag tag, const struct address *a);

/*
 * The line of the access table (not NULL) about a client, by its name if that is known, then its address. A name that
 * is not confirmed can only harm.
 */
const struct access_entry *policy_table_client(
    const struct access_table *table, const struct policy_client *client);

/*
 * The rule by which the client is one of ours, who may send mail to everywhere, or NULL: "relay-from",
 * "relay-client-certs", "relay-verified-clients". What was looked at are steps of the trace.
 */
const char *policy_ours(
    const struct resolve_env *env, const struct policy_client *client, struct trace *trace);

/* The entry of relay-domains for a canonical domain: itself, or a parent's with a leading dot. NULL: none. */
const char *policy_relay_domain(const struct resolve_env *env, const char *domain);

/* Is there a check by the DNS or the greeting that finds anything? */
bool policy_dns_is_any_on(const struct config *c);

/*
 * The checks of strangers by the DNS and their greeting. True if mail for the recipient, which is accepted otherwise,
 * is refused; what is found and not refused is among the warnings.
 */
bool policy_dns_refuses(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, const struct policy_recipient *rcpt,
    const struct access_table *table, struct trace *trace, struct policy_answer *answer);

#endif
