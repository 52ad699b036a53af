/*
 * spool_client: smtpd's side of the conversation with the queue manager
 * (doc/IPC.md, "smtpd and queue") over a group-commit writer (queue/spool_writer):
 * it takes the segments it is handed, says what is durable, and asks for the files of
 * large messages. It implements struct spool_ops for the sessions.
 *
 * While the queue manager is away it goes on with what it holds; a notice that was
 * lost costs nothing, since `holding` after the reconnect says the same.
 */
#ifndef SMTPD_SPOOL_CLIENT_H
#define SMTPD_SPOOL_CLIENT_H

#include <event2/event.h>

#include "smtpd/spool.h"

struct spool_client;
extern const struct spool_ops spool_client_ops;

/* path is that of the queue manager's socket. Connects from within the loop. */
struct spool_client *spool_client_new(struct event_base *base, const char *path);

/* Waits for the flush under way. What was not committed is dropped without a call. */
void spool_client_free(struct spool_client **c);

/* Says how much this worker does, for `postrider status`: open connections, messages, refusals. */
void spool_client_count(
    struct spool_client *c, uint64_t connections, uint64_t accepted, uint64_t refused);

/* Messages handed over and not yet answered. */
unsigned spool_client_pending(const struct spool_client *c);

/* Gives back every segment, says so, and calls stopped (later) when all of it has left. */
void spool_client_stop(struct spool_client *c, void (*stopped)(void *arg), void *arg);

#endif
