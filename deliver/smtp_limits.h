/*
 * smtp_limits: what a server says of its limits (RFC 9422). Pure. Used by
 * smtp_greeting.c; what follows from them is done in smtp_transaction.c and connection_pool.c.
 */
#ifndef DELIVER_SMTP_LIMITS_H
#define DELIVER_SMTP_LIMITS_H

#include <stdint.h>

#include "common/span.h"

struct smtp_limits {
	uint32_t mail; /* MAILMAX: MAIL commands in a session; 0: nothing was said */
	uint32_t rcpt; /* RCPTMAX: RCPT commands in a transaction; 0: likewise */
};

/*
 * What stands behind the keyword LIMITS: names with values, spaces between. A name that is not known counts
 * for nothing, nor does a value that is no number above 0 (RFC 9422 3).
 */
void smtp_limits_parse(struct span value, struct smtp_limits *l);

#endif
