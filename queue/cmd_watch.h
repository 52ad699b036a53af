/*
 * cmd_watch: --watch of the commands that show something: shows it again and again, in place
 * on a terminal, one after the other elsewhere.
 */
#ifndef QUEUE_CMD_WATCH_H
#define QUEUE_CMD_WATCH_H

#include "queue/cmd.h"

struct cmd_watch {
	bool given;	     /* --watch stands there, */
	const char *seconds; /* with this value; NULL: none */
};

/* The option, for cmd_parse. */
struct cmd_option cmd_watch_option(struct cmd_watch *w);

/*
 * Runs show(ctx, arg) once, or with --watch every so many seconds until a signal ends it or standard
 * output cannot be written. Each run is in a child process, whose standard output and error are shown. An exit status.
 */
int cmd_watch_run(struct cmd_context *ctx, const struct cmd_watch *w,
    int (*show)(struct cmd_context *ctx, void *arg), void *arg);

#endif
