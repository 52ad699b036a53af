/*
 * supervisor: what postriderd does once it has a configuration: it starts the
 * processes of the process table, gives them settings and listening sockets,
 * restarts what dies, reloads on SIGHUP, stops in stages on SIGTERM and SIGINT,
 * and tells how things are on the socket control/status.
 *
 * It reads single octets from its children and nothing from anybody else: what
 * holds root parses nothing but the configuration, and that is done by the
 * caller (postriderd_main.c), so this module knows no key of it.
 */
#ifndef COMMON_SUPERVISOR_H
#define COMMON_SUPERVISOR_H

#include "common/listeners.h"
#include "common/process_table.h"
#include "common/syscall_filter.h"
#include "common/wire.h"

/* What the supervisor needs to know of a configuration. */
struct supervisor_plan {
	const char *spool;	       /* absolute */
	unsigned workers;	       /* processes of each per_worker row */
	const struct process_ids *ids; /* one for each row */
	const struct listener_spec *listeners;
	size_t nlisteners;
	enum syscall_filter_mode filter; /* that processes enter when they start */
	/* Lines, of keys that were changed and take effect with the next start: "workers = 4, until then 2". "": none */
	const char *next_start;
};

struct supervisor_ops {
	/*
	 * Reads and checks the configuration anew. NULL: it is wrong, every error was said in the log.
	 * Else a plan with spool, workers and ids as they were; it lives until commit.
	 */
	const struct supervisor_plan *(*load)(void *arg);
	/* What was loaded is in force from now on, or is given up for what was before. */
	void (*commit)(bool in_force, void *arg);
	/* Adds the configuration in force to the settings of a process; a payload lives until the next call. */
	void (*add_settings)(const struct process_row *row, struct wire_out *w, void *arg);
};

struct supervisor_options {
	const char *program_dir; /* where the programs are */
	const char *version;
	const char *notify_socket; /* NULL: no service manager */
	const char *pid_file;	   /* NULL: none */
	const struct supervisor_ops *ops;
	void *arg;
};

/*
 * Runs until it is told to stop. Returns the exit status of postriderd: 0 stopped as asked; 75 another
 * instance has the spool, or a resource is missing; 78 the spool, a listener or a program cannot be used,
 * or a process could not start with its settings.
 */
int supervisor_run(const struct supervisor_options *o, const struct supervisor_plan *plan);

#endif
