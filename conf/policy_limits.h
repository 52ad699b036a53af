/*
 * policy_limits: how often a client, an account or a domain may do something in a
 * second, minute, hour or day: the keys connection-rate-…, command-rate-…,
 * message-rate-… and recipient-rate-… of postrider.conf(5), and message-rate and
 * recipient-rate of a domain's own domain.conf. Used by policy_*.c, which asks
 * whether there is a place left, and by the directory process, which counts what was
 * done. Nothing is counted that no limit is set for.
 *
 * Whom it concerns:
 *	client	an IPv4 address, or the /64 of an IPv6 address; but none of relay-from, nor a
 *		proxy of xclient-from for itself
 *	network	the /24 or /64; the same
 *	account	who has logged in, or a user of this system by uid
 *	domain	the sender's, if it is hosted here and the mail is our users' (logged in, of this
 *		system, or from relay-from): what strangers pretend counts against nobody
 * Messages and recipients of those who have logged in count for their accounts and not for
 * the address they come from. The null reverse-path makes no difference to an account, and counts for its domain; a
 * limit that a sender of <> is free of would be none. From others it counts for no domain, and the queue manager's
 * own reports count for nobody.
 *
 * Exactness: messages count when they have been accepted, so transactions under way at the same time
 * may together exceed a limit by what each of them is allowed. A directory process that is started again has forgotten.
 */
#ifndef CONF_POLICY_LIMITS_H
#define CONF_POLICY_LIMITS_H

#include <stdbool.h>

#include "conf/policy.h"

/* Keys of each kind that are counted at most. */
#define POLICY_COUNTS_MAX 65536

struct policy_counts;

struct policy_counts *policy_counts_new(void);
void policy_counts_free(struct policy_counts **c);

/*
 * Does a limit refuse? Then answer says so: 421 4.7.0, or of messages and recipients 450 4.7.1, with
 * the limit, whom it concerns, and when there is a place again. Else answer->count says whether what becomes of it
 * is to be counted. Without env->counts there are no limits.
 */
bool policy_limits_connect(const struct resolve_env *env, const struct policy_client *client,
    struct trace *trace, struct policy_answer *answer);
bool policy_limits_mail(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, struct trace *trace, struct policy_answer *answer);
bool policy_limits_rcpt(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, struct trace *trace, struct policy_answer *answer);

/* What was done is counted: a connection that is served, commands, a message that was accepted for so many. */
void policy_count_connection(const struct resolve_env *env, const struct policy_client *client);
void policy_count_commands(
    const struct resolve_env *env, const struct policy_client *client, uint32_t n);
void policy_count_message(const struct resolve_env *env, const struct policy_client *client,
    const struct address *from, uint32_t recipients);

#endif
