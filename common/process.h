/*
 * process: the frame of every child of postriderd. It receives the settings on
 * descriptor 3, gives up every right the process table does not grant (user,
 * groups, root directory, capabilities, new privileges, limits), says it serves,
 * and runs the event loop until told to stop or until the supervisor is gone.
 *
 * A *_main.c is a struct process_ops and one call.
 *
 * SIGTERM, SIGINT and SIGHUP are ignored (postriderd says what they mean), and so
 * are SIGPIPE and SIGXFSZ: whoever executes a program sets them back to SIG_DFL.
 */
#ifndef COMMON_PROCESS_H
#define COMMON_PROCESS_H

#include <event2/event.h>

#include "common/wire.h"

struct process;

/* The descriptor of the channel to postriderd; the spool's lock, for those who write there (never used, only held). */
#define PROCESS_FD	3
#define PROCESS_LOCK_FD 4

#define PROCESS_SETTINGS_LATER 1

struct process_ops {
	const char *name; /* as in the process table */

	/*
	 * Settings, first with all rights still held (open here what cannot be opened
	 * later), and again after every reload. Keep what is needed; spans die on return.
	 * 0: from now on all goes by them. PROCESS_SETTINGS_LATER, not at the start: it will, and process_settled says when.
	 * -1: they cannot be used (said in the log); fatal at the start, else the old stay.
	 */
	int (*on_settings)(struct process *p, struct wire_msg *m, void *arg);

	/*
	 * A listening socket to serve (the descriptor is taken), or to serve no more. Its
	 * name is not known yet; fields as in doc/IPC.md. May be NULL.
	 */
	void (*on_listener)(struct process *p, struct wire_msg *m, int fd, void *arg);
	void (*on_unlisten)(struct process *p, struct span name, void *arg);

	/* Rights are gone, listeners are there: start. */
	void (*on_start)(struct process *p, void *arg);

	/* Finish what is under way, then call process_exit. May be NULL: exit at once. */
	void (*on_stop)(struct process *p, void *arg);

	/* The loop has ended and its base is still there: free what hangs on it. May be NULL. */
	void (*on_end)(void *arg);
};

/*
 * Runs the child; returns the exit status of the program: 0 after process_exit, 64 if not started
 * by postriderd, 78 if the first settings cannot be used. Ends the process at once, without
 * returning, when postriderd is gone. The event base does not live until it returns: see on_end.
 */
int process_run(const struct process_ops *ops, void *arg);

struct event_base *process_base(struct process *p);

/* Ends the loop; process_run returns 0. */
void process_exit(struct process *p);

/* All goes by the settings for which on_settings said PROCESS_SETTINGS_LATER. */
void process_settled(struct process *p);

/* Number of this worker, from 0, among the processes of the same name. */
unsigned process_worker(const struct process *p);

/*
 * The path at which this process reaches a socket of sockets/<its own name>/,
 * as seen from its root directory. Points into the process; valid while it runs.
 */
const char *process_socket(struct process *p, const char *socket_name);

/*
 * The uid the settings name for another of our processes ("smtpd", "queue", …): who may connect to a
 * service. (uid_t)-1, nobody, for a name that is none of them ("control", "everybody").
 */
uid_t process_uid_of(const struct process *p, const char *process_name);

#endif
