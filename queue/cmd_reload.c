/*
 * cmd_reload: postrider reload: has postriderd read its configuration again, and
 * says whether the new one is in force.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "queue/cmd_status_text.h"
#include "queue/cmd_verbs.h"

/* Milliseconds between two looks, and how many looks there are: half a minute. */
#define LOOK_INTERVAL 50
#define LOOKS	      600

/* Waits until an attempt after number `before` has ended. 0 or an exit status. */
static int
await(const struct cmd_context *ctx, uint64_t before, bool *ok)
{
	for (int i = 0; i < LOOKS; i++) {
		struct timespec pause = {.tv_nsec = LOOK_INTERVAL * 1000000L};
		struct cmd_status_text s;
		int r;

		nanosleep(&pause, NULL);
		r = cmd_status_text_read(ctx, &s);
		if (r != 0)
			return r;
		if (s.reloads > before) {
			*ok = span_is(s.reload, "ok");
			cmd_status_text_release(&s);
			return 0;
		}
		cmd_status_text_release(&s);
	}
	return cmd_fail(EX_UNAVAILABLE, "postriderd has not reloaded within %d seconds",
	    LOOKS * LOOK_INTERVAL / 1000);
}

static int
report(const struct cmd_context *ctx, bool ok)
{
	json_t *json;

	if (ctx->json) {
		json = json_object();
		json_object_set_new(json, "reload", json_string(ok ? "ok" : "failed"));
		cmd_print_json(json);
	} else if (ok) {
		puts("The new configuration is in force.");
	}
	if (ok)
		return 0;
	return cmd_fail(EX_CONFIG,
	    "the new configuration is wrong and the old one stays in force; "
	    "`postrider check` says what is wrong");
}

int
cmd_reload(struct cmd_context *ctx, char **argv)
{
	struct cmd_status_text s;
	struct cmd_args args;
	uint64_t before;
	bool ok = false;
	pid_t pid;
	int r = cmd_parse(ctx, argv, NULL, 0, 0, 0, &args);

	if (r != CMD_GO_ON)
		return r;
	r = cmd_status_text_read(ctx, &s);
	if (r != 0)
		return r;
	before = s.reloads;
	pid = s.pid;
	cmd_status_text_release(&s);
	if (pid <= 1)
		return cmd_fail(EX_PROTOCOL, "postriderd does not say its process id");
	if (kill(pid, SIGHUP) != 0)
		return cmd_fail(errno == EPERM ? EX_NOPERM : EX_OSERR, "process %d: %s",
		    (int)pid, strerror(errno));
	r = await(ctx, before, &ok);
	return r != 0 ? r : report(ctx, ok);
}
