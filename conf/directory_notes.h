/*
 * directory_notes: what smtpd tells the directory without asking anything
 * (doc/IPC.md, "smtpd to directory"): that a message was accepted, how many
 * commands a session gave. It is counted for the limits of conf/policy_limits.h.
 */
#ifndef CONF_DIRECTORY_NOTES_H
#define CONF_DIRECTORY_NOTES_H

#include "common/wire.h"
#include "conf/policy.h"
#include "conf/resolve.h"

/* The commands that a question says were given since the one before it. -1 if the field makes no sense. */
int directory_notes_commands(const struct resolve_env *env, const struct wire_msg *m,
    const struct policy_client *client);

/* Takes the notice m. -1 if there is none of that name, or it makes no sense. */
int directory_notes_take(const struct resolve_env *env, const struct wire_msg *m);

#endif
