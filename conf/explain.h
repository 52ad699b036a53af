/*
 * explain: the question `explain` of doc/IPC.md: what would become of a message,
 * and why. It goes the way of a session, command by command, and asks the same
 * policy and the same resolver that a session asks, with a trace: nothing is decided here.
 */
#ifndef CONF_EXPLAIN_H
#define CONF_EXPLAIN_H

#include "common/wire.h"
#include "conf/resolve.h"

/*
 * Answers m into w: verdict, rule, steps, targets. With client= as that client would be answered, else where mail
 * for the address goes, whoever sends it. -1: the question makes no sense; nothing was added.
 */
int explain_answer(const struct resolve_env *env, const struct wire_msg *m, struct wire_out *w);

#endif
