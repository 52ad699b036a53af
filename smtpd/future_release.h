/*
 * future_release: the values of HOLDFOR and HOLDUNTIL (RFC 4865): how long a message, submitted by a user
 * who has logged in, is kept before it is sent. Pure. Used by MAIL and the reply to EHLO.
 */
#ifndef SMTPD_FUTURE_RELEASE_H
#define SMTPD_FUTURE_RELEASE_H

#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"

/* HOLDFOR: 1 to 999999999 seconds. -1 if it is none. */
int future_release_parse_interval(struct span value, uint64_t *seconds);

/* HOLDUNTIL: a date-time of RFC 3339 5.6, as seconds since 1970, fractions cut off. -1 if it is none. */
int future_release_parse_time(struct span value, int64_t *when);

/* Appends the line of EHLO: the longest interval in seconds, and when that is, counted from now. */
void future_release_format(uint64_t longest, int64_t now, struct buf *out);

#endif
