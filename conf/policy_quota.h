/*
 * policy_quota: is there room in the mailbox of a recipient? Used by policy_rcpt.c.
 *
 * Only where mail for the address goes to that one mailbox and nowhere else: of an alias the others get
 * theirs. The size that was announced counts, else whether the mailbox is full already. What cannot
 * be told is left to who delivers (deliver/maildir_quota.h).
 */
#ifndef CONF_POLICY_QUOTA_H
#define CONF_POLICY_QUOTA_H

#include <stdbool.h>

#include "conf/policy.h"

/*
 * r: where mail for rcpt goes, one target of it at least, as of RESOLVE_ANY. True: there is no room, and answer
 * says 452 4.2.2, or 552 5.2.2 where the domain has it so.
 */
bool policy_quota_refuses(const struct resolve_env *env, const struct policy_client *client,
    const struct address *rcpt, const struct resolution *r, struct trace *trace,
    struct policy_answer *answer);

#endif
