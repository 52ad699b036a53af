/*
 * line: command lines out of octets. RFC 5321 2.3.8: a line ends with CR LF and
 * holds neither of the two otherwise. Pure.
 */
#ifndef SMTPD_LINE_H
#define SMTPD_LINE_H

#include <stddef.h>

#include "common/span.h"

enum line_result {
	LINE_WHOLE,   /* *line is it, without its end */
	LINE_MORE,    /* no line end yet: nothing was taken */
	LINE_LONG,    /* no end within the limit: nothing was taken, line_skip follows */
	LINE_BARE,    /* a CR or LF stands alone: the client and we disagree where lines end */
	LINE_FOREIGN, /* begins with a control octet: another protocol */
};

/* Takes the line at the front of *in. limit counts the octets of a line with its CR LF (RFC 5321 4.5.3.1.4). */
enum line_result line_take(struct span *in, size_t limit, struct span *line);

/* Drops octets up to and with the next LF. Returns how many; *whole says if the end was there. */
size_t line_skip(struct span *in, bool *whole);

#endif
