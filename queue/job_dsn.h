/*
 * job_dsn: what a job says of RFC 3461: the fields envid, ret, notify and orcpt of doc/IPC.md, out of
 * the envelope and the message in memory. What is not as the RFC wants it is left out: it goes into
 * commands to other servers.
 */
#ifndef QUEUE_JOB_DSN_H
#define QUEUE_JOB_DSN_H

#include "common/wire.h"
#include "queue/message.h"
#include "queue/spool_envelope.h"

/* Of the message: e is its envelope, NULL if that has nothing of this kind. */
void job_dsn_add_message(struct wire_out *w, const struct envelope *e);

/* Of a recipient: behind its address. */
void job_dsn_add_recipient(
    struct wire_out *w, const struct recipient *r, const struct envelope *e);

#endif
