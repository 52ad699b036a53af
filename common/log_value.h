/*
 * log_value: values of a log line that somebody else has written, so that a program can tell where each ends.
 * One rule for both kinds: an octet that could end the value, and the backslash, is written \xNN, as the escaper of
 * common/log writes what cannot be printed; so undoing \xNN gives the value back. Used by whoever logs addresses and
 * texts. Pure.
 *
 *	from=<\x22a\x20b\x22@example.org>	without blank, quote, < and > in it: LOG_ADDRESS
 *	text="say \x22hello\x22"	without quote in it: LOG_QUOTED
 */
#ifndef COMMON_LOG_VALUE_H
#define COMMON_LOG_VALUE_H

#include "common/buf.h"
#include "common/limits.h"
#include "common/span.h"

/* Octets of a value that are shown; "…" stands behind one that is longer. */
#define LOG_QUOTED_MAX 500

#define LOG_ADDRESS_SIZE (4 * ADDRESS_MAX + 8)
#define LOG_QUOTED_SIZE	 (4 * LOG_QUOTED_MAX + 8)

/* The value as text, without the brackets or quotes around it, in out: returns out. */
const char *log_address(struct span s, char out[LOG_ADDRESS_SIZE]);
const char *log_quoted(struct span s, char out[LOG_QUOTED_SIZE]);

/* The same, in memory that lasts as long as the block it is called in: an argument of "from=<%s>", of "text=\"%s\"". */
#define LOG_ADDRESS(s) log_address((s), (char[LOG_ADDRESS_SIZE]){0})
#define LOG_QUOTED(s)  log_quoted((s), (char[LOG_QUOTED_SIZE]){0})

/* Appends a quoted value, up to max octets of it. */
void log_add_quoted(struct buf *out, struct span s, size_t max);

#endif
