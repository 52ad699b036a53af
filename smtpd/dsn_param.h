/*
 * dsn_param: the values of RET, ENVID, NOTIFY and ORCPT (RFC 3461 4). Pure. xtext is
 * decoded before it is judged: what comes out must be printable ASCII, so that no
 * line end or NUL hides in one (RFC 3461 4.2, 4.4). The values are kept as given.
 * An address of the type utf-8 has a coding of its own (RFC 6533 3).
 */
#ifndef SMTPD_DSN_PARAM_H
#define SMTPD_DSN_PARAM_H

#include <stdbool.h>

#include "common/span.h"

/* Lengths as written, in octets (RFC 3461 4.2, 4.4, 5.1). */
#define DSN_ENVID_MAX 100
#define DSN_ORCPT_MAX 500

/* "FULL" or "HDRS", in any case. */
bool dsn_param_ret_valid(struct span value);

bool dsn_param_envid_valid(struct span value);

/* "NEVER" alone, or some of "SUCCESS", "FAILURE", "DELAY" once each, with commas, in any case. */
bool dsn_param_notify_valid(struct span value);

/*
 * An address type, a semicolon, an address in xtext (of UTF-8, too: Postfix does); of the type utf-8 printable characters, of which those
 * beyond ASCII may, and + = \ and spaces have to, stand as \x{HEX}. What stands for itself needs SMTPUTF8.
 */
bool dsn_param_orcpt_valid(struct span value);

#endif
