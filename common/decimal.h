/*
 * decimal: numbers as text without printf, where a line or a message is written for each piece of mail
 * (common/wire, common/log, smtpd/smtp_reply).
 */
#ifndef COMMON_DECIMAL_H
#define COMMON_DECIMAL_H

#include <stdint.h>

#include "common/buf.h"

/* Appends n. 0, or -1 with nothing added if the maximum would be exceeded. */
int decimal_add(struct buf *b, uint64_t n);

#endif
