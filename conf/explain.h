/*
 * explain: the question `explain` of doc/IPC.md: what would become of an address,
 * and why. It goes the way that policy and resolver go for a session, with a trace.
 */
#ifndef CONF_EXPLAIN_H
#define CONF_EXPLAIN_H

#include "common/wire.h"
#include "conf/resolve.h"

/* Answers m into w. -1: the question makes no sense; nothing was added. */
int explain_answer(const struct resolve_env *env, const struct wire_msg *m, struct wire_out *w);

#endif
