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

/* Tries a deferred recipient now. True if it was waiting. */
bool manager_retry(struct manager *m, struct recipient *r);

/* Takes an idle (not ACTIVE, RESOLVING) recipient out of the queue. True if it was taken out. */
bool manager_remove(struct manager *m, struct recipient *r);

/* As manager_remove, but its sender is told. */
bool manager_fail(struct manager *m, struct recipient *r);

#endif
