/* cmd_explain_header: postrider explain --header-file: which header checks fire for a message. */
#ifndef QUEUE_CMD_EXPLAIN_HEADER_H
#define QUEUE_CMD_EXPLAIN_HEADER_H

#include "queue/cmd.h"

/* file: a message; "-": standard input. Returns the exit status. */
int cmd_explain_header(struct cmd_context *ctx, const char *file);

#endif
