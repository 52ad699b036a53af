/*
 * explain_facts: asks the DNS for `postrider explain` what a session would have asked: the
 * directory's answer names what it wants to know, the process remote finds it out, and the
 * question is put again with what came back.
 */
#ifndef QUEUE_EXPLAIN_FACTS_H
#define QUEUE_EXPLAIN_FACTS_H

#include "conf/fact.h"
#include "queue/cmd.h"

/*
 * Finds out what the fields `want` of an answer name, about this client. Returns how many there are. What cannot be found
 * out, with a line on standard error if nobody can be asked, is unknown, as it is in a session. known is empty
 * before, and released by the caller.
 */
size_t explain_facts_find(const struct cmd_context *ctx, const char *client,
    const struct wire_msg *answer, struct facts *known);

#endif
