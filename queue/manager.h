/*
 * manager: the queue manager's middle. Every message from the store goes this
 * way: recipients are resolved (the directory), listed by destination (the
 * scheduler), sent in jobs (agents), and what comes of each is recorded (the
 * store); failures are told to senders (the reporter).
 */
#ifndef QUEUE_MANAGER_H
#define QUEUE_MANAGER_H

#include <event2/event.h>

#include "conf/config.h"
#include "queue/agents.h"
#include "queue/pauses.h"
#include "queue/store.h"

struct manager;

struct manager_ops {
	/* A segment can be handed out. */
	void (*on_ready)(void *arg);
	/* The spool can (cannot) take more mail. */
	void (*on_space)(bool room, void *arg);
};

/*
 * Opens the store below spoolfd and starts. directory_path: the socket of the directory. config is
 * borrowed until manager_set_config names another. NULL: said in the log.
 */
struct manager *manager_new(struct event_base *base, int spoolfd, const struct config *config,
    const char *directory_path, const struct manager_ops *ops, void *arg);
void manager_set_config(struct manager *m, const struct config *config);

/* No new jobs; done is called when those under way have ended, or after timeout_ms. */
void manager_stop(struct manager *m, unsigned timeout_ms, void (*done)(void *arg), void *arg);
void manager_free(struct manager **m);

struct store *manager_store(struct manager *m);
struct agents *manager_agents(struct manager *m);
struct scheduler *manager_scheduler(struct manager *m);
struct compactor *manager_compactor(struct manager *m);

/*
 * The administrator's acts (manager_act.c), for which nothing is under way: on one that is RESOLVING or ACTIVE only
 * manager_hold has an effect, later. All are in the journal (not yet flushed) when they return; true if something changed.
 */

/* Tries it now, and probes its destination with it should that be dead. Not one that is held. */
bool manager_retry(struct manager *m, struct recipient *r);

/* It is not tried until it is released. */
bool manager_hold(struct manager *m, struct recipient *r);
bool manager_release(struct manager *m, struct recipient *r);

/* It is resolved as if RCPT had named it just now. */
bool manager_requeue(struct manager *m, struct recipient *r);

/* Takes it out of the queue. manager_fail: and its sender is told. */
bool manager_remove(struct manager *m, struct recipient *r);
bool manager_fail(struct manager *m, struct recipient *r);

/* Stops mail for a destination, or of a sender domain, until it may continue; over restarts too. */
bool manager_pause(struct manager *m, enum pause_kind kind, struct span name);
bool manager_continue(struct manager *m, enum pause_kind kind, struct span name);

#endif
