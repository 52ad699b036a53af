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
 * Reads a password into out, which buf_init_secret has made: twice from the terminal, without showing it, or, where
 * standard input is no terminal or from_stdin says so, one line of standard input. 0, or an exit status after a line
 * on standard error.
 */
int cmd_password_read(bool from_stdin, struct buf *out);

#endif
