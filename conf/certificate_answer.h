/*
 * certificate_answer: the question `certificate` of doc/IPC.md, which the process
 * keys asks the directory: which files hold the TLS certificates and keys of a name, or without one
 * this host's; and, if it is asked for, what is in them.
 */
#ifndef CONF_CERTIFICATE_ANSWER_H
#define CONF_CERTIFICATE_ANSWER_H

#include <sys/types.h>

#include "common/wire.h"
#include "conf/config.h"
#include "conf/domains.h"

/* What is put in front of the names of the fields about a pair (from 0): "", "second-". */
const char *certificate_answer_prefix(size_t pair);

/* The field of that name about a pair. As wire_get. */
int certificate_answer_get(const struct wire_msg *m, size_t pair, const char *name,
    struct span *value) __attribute__((warn_unused_result));

/* Answers m into w. owner besides root may own this host's own files. */
void certificate_answer(const struct config *c, struct domains *d, uid_t owner,
    const struct wire_msg *m, struct wire_out *w);

#endif
