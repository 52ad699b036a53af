/*
 * relay: one job of remote on its way: an open connection for its destination if there is
 * one, else the route, host after host, until one has spoken about the message.
 * The verdicts make up the answer.
 */
#ifndef DELIVER_RELAY_H
#define DELIVER_RELAY_H

#include "deliver/connection_pool.h"
#include "deliver/dns.h"
#include "deliver/job.h"
#include "deliver/route.h"

/* What all relays share; owned by remote_main. A reload changes it between jobs. */
struct relay_env {
	struct dns *dns;
	struct connection_pool *pool;
	struct route_options route;
	struct smtp_options smtp;
};

/* What a pool for relays is made with. */
extern const struct connection_ops relay_connection_ops;

/* Takes the job and finishes it, whatever happens. env must outlive it. */
void relay_start(const struct relay_env *env, struct job *j);

#endif
