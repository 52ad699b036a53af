/*
 * header_scan: reads along while content passes and counts what must be known of
 * its header section (RFC 5322 2.2): Received fields, for the hop limit of
 * RFC 5321 6.3, and whether content begins with a header field at all. Pure;
 * memory does not depend on the length of lines or of the header.
 */
#ifndef SMTPD_HEADER_SCAN_H
#define SMTPD_HEADER_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

enum header_state {
	HEADER_LINE_START,
	HEADER_NAME,	   /* in a field's name, matching "received" so far */
	HEADER_OTHER_NAME, /* in a field's name that is another one */
	HEADER_NAME_SPACE, /* white space between the name "received" and the colon */
	HEADER_REST,	   /* behind the colon, or in a folded line */
	HEADER_END,	   /* in the body */
};

/* What the first line is. */
enum header_first {
	HEADER_FIRST_UNKNOWN, /* too little was seen */
	HEADER_FIRST_FIELD,   /* `name:`; or empty, which ends an empty header section */
	HEADER_FIRST_TEXT,    /* anything else: there is no header section */
};

struct header_scan {
	enum header_state state;
	enum header_first first;
	unsigned matched;  /* octets of "received" seen */
	unsigned name_len; /* of the first line, up to its colon */
	bool name_over;	   /* white space came behind it: only a colon may follow */
	uint32_t received; /* Received fields so far */
};

void header_scan_init(struct header_scan *h);

/* Looks at the next octets of content (LF line ends). */
void header_scan_feed(struct header_scan *h, struct span content);

#endif
