/*
 * base64: RFC 4648 4, strictly: no white space, no other alphabet, full padding,
 * and no bits set that stand for nothing. One text, one meaning. Pure.
 */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include "common/buf.h"
#include "common/span.h"

/* Appends the octets that s stands for. -1 if s is no base64, or out is full: nothing was added. */
int base64_decode(struct span s, struct buf *out);

/* Appends s as base64, padded, in one line. -1 if out is full. */
int base64_encode(struct span s, struct buf *out);

#endif
