/*
 * cmd_queue: what the commands `postrider queue …` share: the options that say which messages
 * are meant.
 */
#ifndef QUEUE_CMD_QUEUE_H
#define QUEUE_CMD_QUEUE_H

#include "queue/cmd.h"

/* The filters of list, retry, hold, release, remove, requeue and summary. */
struct cmd_queue_filter {
	struct cmd_values sender, sender_domain, recipient, domain, destination, reason, state;
	const char *older, *younger; /* durations, NULL: any age */
	bool held;
};

#define CMD_QUEUE_FILTER_OPTIONS 10

/* What they look like in a usage line. */
#define CMD_QUEUE_FILTER_USAGE                                                                 \
	"filters: [--sender PATTERN] [--sender-domain PATTERN] [--recipient PATTERN]\n"        \
	"         [--domain PATTERN] [--destination PATTERN] [--reason TEXT]\n"                \
	"         [--state STATE] [--held] [--older AGE] [--younger AGE]\n"

/* What stands behind a verb that changes something. */
#define CMD_QUEUE_ACT_USAGE                                                                    \
	"[--yes] [--dry-run] {ID ... | filters | --all}\n" CMD_QUEUE_FILTER_USAGE

/* Empties f; the options that fill it in. */
void cmd_queue_filter_options(
    struct cmd_queue_filter *f, struct cmd_option options[CMD_QUEUE_FILTER_OPTIONS]);

/* Are the ages durations, and the arguments message ids? 0, or an exit status after a line on standard error. */
int cmd_queue_check(const struct cmd_context *ctx, const struct cmd_queue_filter *f,
    const struct cmd_args *ids);

/* Adds the filter's fields, and id= for each of n ids. */
void cmd_queue_filter_add(const struct cmd_queue_filter *f, struct wire_out *w);
void cmd_queue_ids_add(char *const *ids, int n, struct wire_out *w);
bool cmd_queue_filter_is_empty(const struct cmd_queue_filter *f);

/* The options again as a shell would read them, states left out: for a command that undoes another. */
void cmd_queue_filter_quote(const struct cmd_queue_filter *f, struct buf *out);

/* Says which ids (fields `unknown`) are not in the queue: EX_NOINPUT if there are any, else 0. */
int cmd_queue_say_unknown(const struct wire_msg *m);

#endif
