/*
 * xtext: the coding of ENVID and ORCPT (RFC 3461 4): printable ASCII stands for
 * itself, but for "+" and "=", which stand as +XX, as any octet may. Pure. Used by smtpd to
 * judge what a client sent, by the queue to make reports readable, by sendmail.
 */
#ifndef COMMON_XTEXT_H
#define COMMON_XTEXT_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/span.h"

/* Appends the octets that s stands for. -1 if s is no xtext, or out is full: part of it may have been added. */
int xtext_decode(struct span s, struct buf *out);

/* Appends s as xtext. -1 if out is full. */
int xtext_encode(struct span s, struct buf *out);

/*
 * Is s, of at most max octets as written, xtext of printable ASCII and spaces, and not empty? RFC 3461
 * 4.2 and 4.4 allow nothing else, so no line end or NUL hides in it.
 */
bool xtext_is_printable(struct span s, size_t max);

/*
 * The same of printable UTF-8 (utf8_is_printable), spaces included: what Postfix writes into ORCPT for an address in UTF-8, though it
 * calls its type rfc822.
 */
bool xtext_is_utf8(struct span s, size_t max);

#endif
