/*
 * cmd_password: a password from a person or a program.
 */
#ifndef QUEUE_CMD_PASSWORD_H
#define QUEUE_CMD_PASSWORD_H

#include <stdbool.h>

#include "common/buf.h"

/* Octets of a password: more only make a hash slow. */
#define CMD_PASSWORD_MAX 1024

/*
 * Reads a password into out: twice from the terminal, without showing it, or, where standard input is no terminal or from_stdin
 * says so, one line of standard input. 0, or an exit status after a line on standard error. The caller
 * clears out when it is done (cmd_password_clear).
 */
int cmd_password_read(bool from_stdin, struct buf *out);

/* Overwrites and releases it. */
void cmd_password_clear(struct buf *b);

#endif
