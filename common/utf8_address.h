/*
 * utf8_address: the forms of an address of the type utf-8 (RFC 6533 3): characters stand for themselves or as
 * \x{HEX}, as "+", "=", "\" and the space have to. Pure. Used by smtpd to judge what a
 * client sent, by the queue for reports and what is passed on.
 */
#ifndef COMMON_UTF8_ADDRESS_H
#define COMMON_UTF8_ADDRESS_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/span.h"

/* Is s, which is not empty, one? Every character is one that may be shown (utf8_is_printable): no line end hides in it. */
bool utf8_address_valid(struct span s);

/* Appends what s stands for, in UTF-8. -1 if s is no such address, or out is full: part of it may have been added. */
int utf8_address_decode(struct span s, struct buf *out);

#endif
