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

/* Waits until an attempt after number `before` has ended. 0, and *s is released by the caller; or an exit status. */
static int
await(const struct cmd_context *ctx, uint64_t before, struct cmd_status_text *s)
{
	for (int i = 0; i < LOOKS; i++) {
		struct timespec pause = {.tv_nsec = LOOK_INTERVAL * 1000000L};
		int r;

		nanosleep(&pause, NULL);
		r = cmd_status_text_read(ctx, s);
		if (r != 0 || (s->reloads > before && !span_is(s->reload, "running")))
			return r;
		cmd_status_text_release(s);
	}
	return cmd_fail(EX_UNAVAILABLE, "postriderd has not reloaded within %d seconds",
	    LOOKS * LOOK_INTERVAL / 1000);
}

static void
print(const struct cmd_status_text *s)
{
	puts("The new configuration is in force.");
	for (size_t i = 0; i < s->nnext_start; i++) {
		printf("With the next start: ");
		cmd_print_span(s->next_start[i]);
		putchar('\n');
	}
}

static void
print_json(const struct cmd_status_text *s)
{
	json_t *json = json_object(), *next_start = json_array();

	json_object_set_new(json, "reload", cmd_json_string(s->reload));
	for (size_t i = 0; i < s->nnext_start; i++)
		json_array_append_new(next_start, cmd_json_string(s->next_start[i]));
	json_object_set_new(json, "next-start", next_start);
	cmd_json_print(json);
}

static int
report(const struct cmd_context *ctx, const struct cmd_status_text *s)
{
	bool ok = span_is(s->reload, "ok");

	if (ctx->json)
		print_json(s);
	else if (ok)
		print(s);
	if (ok)
		return 0;
	if (span_is(s->reload, "partly"))
		return cmd_fail(EX_TEMPFAIL,
		    "the new configuration is in force, but not in every process; the log of "
		    "postriderd names those that have not taken it");
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
	r = await(ctx, before, &s);
	if (r == 0) {
		r = report(ctx, &s);
		cmd_status_text_release(&s);
	}
	return r;
}
