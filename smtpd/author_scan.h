/*
 * author_scan: reads along in a message's header and collects who it says it is from: the addresses of
 * its From and Sender fields (RFC 5322 3.6.2), for check-header-from. Pure; memory is bounded. What cannot be
 * understood makes the whole unclear: a reader might understand it, and otherwise than we do.
 */
#ifndef SMTPD_AUTHOR_SCAN_H
#define SMTPD_AUTHOR_SCAN_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/mime_scan.h"
#include "common/span.h"

/* Addresses in all; a message with more is unclear. */
#define AUTHOR_SCAN_MAX 100

struct author_scan {
	struct mime_scan scan;
	struct buf
	    list; /* a line for each: "From" or "Sender", a space, the address (canonical), LF */
	unsigned n, from;    /* addresses; those of From */
	const char *unclear; /* why, a static text; NULL: all is clear so far */
	bool done;	     /* the header is over */
};

struct author_scan *author_scan_new(void);
void author_scan_free(struct author_scan **s); /* clears *s; NULL is fine */

/* Content (LF line ends), and its end: then list and unclear say the whole. */
void author_scan_feed(struct author_scan *s, struct span content);
void author_scan_finish(struct author_scan *s);

#endif
