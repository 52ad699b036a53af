/*
 * supervisor_setup: what postriderd does before it starts a process: the spool's
 * lock and directories, the listening sockets, the pid file; then it gives up
 * what it needs no more. Called by supervisor.c once.
 */
#ifndef COMMON_SUPERVISOR_SETUP_H
#define COMMON_SUPERVISOR_SETUP_H

#include <sys/resource.h>

#include "common/listeners.h"
#include "common/spool_secret.h"
#include "common/supervisor.h"

struct supervisor_setup {
	int spool_lock; /* -1: none */
	struct listeners *unix_sockets, *tcp;
	unsigned char secret[SPOOL_SECRET_SIZE];
	struct rlimit
	    files; /* the limit of descriptors postriderd was started with: its children's */
};

/*
 * Needs all of root's rights, if there are any. Returns 0, or the exit status of postriderd with the
 * reason said in the log; supervisor_setup_release takes back what was done in both cases.
 */
int supervisor_setup_prepare(struct supervisor_setup *u, const struct supervisor_options *o,
    const struct supervisor_plan *plan);

/* Gives up what is not needed from here on; says so once if we are not root. Fatal if it fails. */
void supervisor_setup_confine(void);

void supervisor_setup_release(struct supervisor_setup *u);

#endif
