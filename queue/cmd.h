/*
 * cmd: what the commands of postrider(8) share: the context they run in, their
 * options, their errors, and the two forms of output: text for people, JSON for
 * programs. A command is one cmd_*.c and one row of the table in postrider_main.c.
 */
#ifndef QUEUE_CMD_H
#define QUEUE_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"
#include "conf/config.h"
#include "queue/cmd_json.h"
#include "queue/control_client.h"

struct cmd_context {
	const char *config_path; /* -c, or NULL: the default file */
	bool json;		 /* --json */
	const char *usage;	 /* of the command that runs, for --help and errors */
	unsigned rows; /* what is shown of a long list at most; 0: all (cmd_watch.h) */
};

/* The values of an option that may be given several times. */
#define CMD_VALUES_MAX 32
struct cmd_values {
	const char *v[CMD_VALUES_MAX];
	size_t n;
};

/*
 * An option of a command: `--name VALUE` (or `--name=VALUE`) if value or values is set, else the switch `--name`. With both
 * given and value, the value may be missing, and is taken from the next argument only if that is a number.
 */
struct cmd_option {
	const char *name; /* without the hyphens */
	const char **value;
	bool *given;
	struct cmd_values *values;
};

/* What cmd_parse found besides options; points into argv. */
struct cmd_args {
	char **v;
	int n;
};

/* Returned by cmd_parse when the command is to go on. */
#define CMD_GO_ON (-1)

/*
 * Takes a command's options out of its arguments (argv without the command's own name, NULL at the end); --json, --help and -h are
 * known to all, `--` ends options. Between min and max arguments must remain (max < 0: any number). CMD_GO_ON, or
 * the exit status: 0 after --help, EX_USAGE after a line on standard error.
 */
int cmd_parse(struct cmd_context *ctx, char **argv, const struct cmd_option *options, size_t n,
    int min, int max, struct cmd_args *args);

/* Is the argument an address user@domain? CMD_GO_ON, or EX_USAGE after a line on standard error. */
int cmd_check_address(const char *arg);

/* A line on standard error: "postrider: …", unprintable octets escaped. Returns status. */
int cmd_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As cmd_fail with EX_USAGE, and the usage of the command that runs. */
int cmd_fail_usage(const struct cmd_context *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Calls fn with the configuration, as config_load_domains has it, or returns EX_CONFIG after all its errors were written to
 * standard error. fn returns an exit status; what it left in why is a line on standard
 * error if that is not 0.
 */
typedef int cmd_config_fn(const struct config *c, struct buf *why, void *arg);
int cmd_with_config(const struct cmd_context *ctx, cmd_config_fn *fn, void *arg);

/* The file the configuration is read from. */
const char *cmd_config_path(const struct cmd_context *ctx);

/*
 * Asks control/<name>: *c gets a client that lives as long as the answer, and is the caller's to close,
 * whatever is returned. w was begun with id 1 and is released. 0, or an exit status after a line on
 * standard error.
 */
int cmd_ask(const struct cmd_context *ctx, const char *name, struct wire_out *w,
    struct control_client **c, struct wire_msg *answer);

/*
 * Asks control/queue what is answered by a stream of frames, and calls on_frame for each; the last one's
 * verb is `end`. w as for cmd_ask. 0, or an exit status after a line on standard error: also what on_frame returns if it is not 0.
 */
typedef int cmd_frame_fn(const struct wire_msg *frame, void *arg);
int cmd_ask_stream(
    const struct cmd_context *ctx, struct wire_out *w, cmd_frame_fn *on_frame, void *arg);

/*
 * 0 if the answer's verdict is ok (or it has none), else after a line on standard error EX_USAGE (5.5.4: the question is wrong),
 * EX_NOINPUT (5.1.1: there is no such thing), EX_UNAVAILABLE.
 */
int cmd_verdict_status(const struct wire_msg *answer);

/* Prints s with unprintable octets escaped. */
void cmd_print_span(struct span s);

/* "3 d 4 h", "4 h 5 min", "5 min 6 s", "7 s". Returns out. */
#define CMD_DURATION_SIZE 48
const char *cmd_format_duration(uint64_t seconds, char out[CMD_DURATION_SIZE]);

/* "1234 B", "1.2 KiB", "35.0 MiB". Returns out. */
#define CMD_SIZE_SIZE 32
const char *cmd_format_size(uint64_t octets, char out[CMD_SIZE_SIZE]);

#endif
