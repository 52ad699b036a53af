/*
 * param: the parameters behind the path of MAIL and RCPT (RFC 5321 4.1.2,
 * Esmtp-param). Pure. Which parameters there are is the business of the verb;
 * here is their form: keyword, value, and that none comes twice.
 */
#ifndef SMTPD_PARAM_H
#define SMTPD_PARAM_H

#include <stdbool.h>

#include "common/span.h"

struct param {
	struct span keyword;
	struct span value;
	bool has_value; /* an equals sign was there */
};

/*
 * Takes the next parameter from the front of *rest, with the spaces before it. Returns 1 if
 * there was one, 0 if nothing is left, -1 if it is malformed.
 */
int param_next(struct span *rest, struct param *p);

/* Is the parameter this keyword (in any case), with or without a value? */
bool param_is(const struct param *p, const char *keyword);

#endif
