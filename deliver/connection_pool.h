/*
 * connection_pool: the SMTP connections of remote, each to one host for one
 * destination. One that has done its message and is still good stays open a
 * moment for the next message to the same destination.
 *
 * A connection has an owner (a relay) from open or take until release; while it
 * has none it is idle here, and its end concerns nobody.
 */
#ifndef DELIVER_CONNECTION_POOL_H
#define DELIVER_CONNECTION_POOL_H

#include <event2/event.h>

#include "deliver/route.h"
#include "deliver/smtp_client.h"

#define CONNECTION_IDLE_MS	5000
#define CONNECTION_MESSAGES_MAX 100
#define CONNECTION_IDLE_MAX	256 /* of all destinations; the oldest goes first */

struct connection;
struct connection_pool;

/* As struct smtp_client_ops. After on_closed the connection is gone. */
struct connection_ops {
	void (*on_ready)(struct connection *c, void *owner);
	void (*on_done)(struct connection *c, enum smtp_outcome outcome, void *owner);
	void (*on_closed)(
	    struct connection *c, enum smtp_stage stage, const struct verdict *v, void *owner);
};

/* ops are of all owners; they must outlive the pool. */
struct connection_pool *connection_pool_new(
    struct event_base *base, const struct connection_ops *ops);

/* Closes everything, without callbacks. */
void connection_pool_free(struct connection_pool **p);

/* An idle connection for this destination, ready for sending; NULL if there is none. */
struct connection *connection_pool_take(
    struct connection_pool *p, const char *destination, void *owner);

/* Connects to target. options are copied, what they point to must live as long as the pool; sni is set here. */
struct connection *connection_pool_open(struct connection_pool *p, const char *destination,
    const struct route_target *target, const struct smtp_options *options, void *owner);

/* Sends; only after on_ready or take. */
void connection_send(struct connection *c, struct smtp_transaction *t);

/*
 * The owner leaves it, in on_done: it becomes idle as soon as it is ready, or is closed if keep is false.
 */
void connection_release(struct connection *c, bool keep);

/* The host at the other end. */
const char *connection_host(const struct connection *c);

#endif
