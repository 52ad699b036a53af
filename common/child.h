/*
 * child: one process that postriderd keeps running: started with a clean
 * environment and four descriptors, restarted with back-off when it dies, stopped
 * by the `stop` message. What comes back on its channel is an octet for each time it was told
 * settings: 'R', it serves, and by them; or 'O', by the old ones. Anything else is a broken process and ends it.
 */
#ifndef COMMON_CHILD_H
#define COMMON_CHILD_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "common/process_table.h"
#include "common/wire.h"

enum child_state {
	CHILD_WAITING,	/* not running; a timer starts it */
	CHILD_STARTING, /* running, has not said that it serves */
	CHILD_READY,	/* serves */
	CHILD_STOPPING, /* was told to stop, or killed for good */
	CHILD_STOPPED,	/* not running and not to be started any more */
};

struct child;

struct child_ops {
	/* A new process is there: send it settings, listeners and go. */
	void (*on_spawned)(struct child *c, void *arg);
	/* It said that it serves. */
	void (*on_ready)(struct child *c, void *arg);
	/* It said of later settings that it works by them, or does not (child_refused). */
	void (*on_settled)(struct child *c, void *arg);
	/* It ended, with a status as of waitpid(2); the state is WAITING or STOPPED by now. */
	void (*on_ended)(struct child *c, int status, void *arg);
};

/* What all children have in common; outlives them. */
struct child_env {
	struct event_base *base;
	const char *program_dir;
	int spool_lock;	     /* a copy goes to the processes that write to the spool */
	struct rlimit files; /* the limit of descriptors they start with */
	const struct child_ops *ops;
	void *arg;
};

/* Does not start it. */
struct child *child_new(
    const struct child_env *env, const struct process_row *row, unsigned worker);

/* Ends a running process by SIGKILL (it is not waited for); clears *c. */
void child_free(struct child **c);

/* Starts the process; if that is impossible now, tries again with back-off. Never calls back before the loop runs, except on_spawned. */
void child_start(struct child *c);

/* Sends a message (a copy; the payload, too). fd >= 0 stays the caller's: a copy is sent. Does nothing if no process runs. */
void child_send(struct child *c, const struct wire_out *w, int fd);

/* The same for its settings, which it has to answer. */
void child_send_settings(struct child *c, const struct wire_out *w);

/* Settings it was told and has not answered. Did it refuse the last ones it has answered? */
unsigned child_owes(const struct child *c);
bool child_refused(const struct child *c);

/* Asks it to stop, or (child_kill) ends it, for good: no restart. */
void child_stop(struct child *c);
void child_kill(struct child *c);

/* waitpid(2) said that its process ended. */
void child_on_exit(struct child *c, int status);

const struct process_row *child_row(const struct child *c);
unsigned child_worker(const struct child *c);
enum child_state child_state(const struct child *c);
const char *child_state_name(enum child_state s);
pid_t child_pid(const struct child *c);		 /* 0: none */
uint64_t child_restarts(const struct child *c);	 /* beyond the first start */
uint64_t child_uptime_ms(const struct child *c); /* of the running process; 0: none */

#endif
