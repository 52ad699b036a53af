/*
 * cmd_status_text: what postriderd says of itself and its processes at
 * control/status (doc/IPC.md), read and parsed.
 */
#ifndef QUEUE_CMD_STATUS_TEXT_H
#define QUEUE_CMD_STATUS_TEXT_H

#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "queue/cmd.h"

struct cmd_process {
	struct span name, state;
	uint64_t worker, pid, restarts, uptime;
};

/* spool, workers and the users: no other keys wait for a start. */
#define CMD_NEXT_START_MAX 16

struct cmd_status_text {
	struct span version, state, reload, reload_time;
	struct span filter; /* of system calls: enforce, log, off */
	struct span
	    next_start[CMD_NEXT_START_MAX]; /* keys that take effect with the next start */
	size_t nnext_start;
	pid_t pid;
	uint64_t uptime, reloads;
	uint64_t landlock; /* version of the kernel's, 0: none */
	struct cmd_process *processes;
	size_t nprocesses;
	struct buf text; /* what the spans point into */
};

/* Parses text, which is copied. Unknown names are passed over; -1 if a line or a number is malformed. */
int cmd_status_text_parse(struct span text, struct cmd_status_text *s);
void cmd_status_text_release(struct cmd_status_text *s);

/* Reads control/status. 0, or an exit status after a line on standard error. */
int cmd_status_text_read(const struct cmd_context *ctx, struct cmd_status_text *s);

#endif
