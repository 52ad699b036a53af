/*
 * directory_fields: the groups of fields that several of the directory's
 * questions and answers share (doc/IPC.md): who asks, an address, a decision, the
 * targets of an address. Used by conf/directory.c and conf/explain.c.
 */
#ifndef CONF_DIRECTORY_FIELDS_H
#define CONF_DIRECTORY_FIELDS_H

#include "common/address.h"
#include "common/wire.h"
#include "conf/policy.h"
#include "conf/resolve.h"

/* The fields that say who asks; spans of c lie in m. -1 if one is missing or malformed. */
int directory_get_client(const struct wire_msg *m, struct policy_client *c);

/* A field `want` for each thing that policy wants to know before it can decide about recipients. */
void directory_add_wants(struct wire_out *w, const struct resolve_env *env,
    const struct policy_client *client, const struct address *from);

/* The address in the field of that name. 0; 1 if it does not parse (*v says so); -1 if it is not there. */
int directory_get_address(const struct wire_msg *m, const char *name, unsigned flags,
    struct address *a, struct verdict *v);

/* The verdict, the rule, and of what is accepted what becomes of it. */
void directory_add_decision(struct wire_out *w, const struct policy_answer *a);

/* Verdict and targets, if together they fit a message; else the verdict says that they do not, and r is emptied. */
void directory_add_targets(struct wire_out *w, struct resolution *r);

#endif
