/*
 * header_scan: reads along while content passes and notes what must be known of
 * its header section (RFC 5322 2.2): Received fields are counted, for the hop limit of
 * RFC 5321 6.3; Delivered-To fields tell whether it has been where it is to go; and whether
 * content begins with a header field at all. Pure; memory does not depend on the length of lines or of
 * the header.
 */
#ifndef SMTPD_HEADER_SCAN_H
#define SMTPD_HEADER_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/span.h"
#include "smtpd/recipient.h"

enum header_state {
	HEADER_LINE_START,
	HEADER_NAME,	   /* in a field's name, matching one of ours so far */
	HEADER_OTHER_NAME, /* in a field's name that is another one */
	HEADER_NAME_SPACE, /* white space between a name of ours and the colon */
	HEADER_VALUE,	   /* behind the colon of Delivered-To */
	HEADER_REST,	   /* behind another colon, or in a folded line */
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
	unsigned matched;   /* octets of the name seen */
	unsigned names;	    /* of ours it may be yet, as bits */
	unsigned name_len;  /* of the first line, up to its colon */
	bool name_over;	    /* white space came behind it: only a colon may follow */
	uint32_t received;  /* Received fields so far */
	uint32_t delivered; /* Delivered-To fields so far */
	bool returned;	    /* one names a recipient */
	const struct recipients *recipients;
	size_t
	    value_len; /* of the Delivered-To field at hand; beyond ADDRESS_MAX it names nobody */
	char value[ADDRESS_MAX];
};

/* recipients (borrowed, may be NULL): those hosted here are whom Delivered-To fields may name. */
void header_scan_init(struct header_scan *h, const struct recipients *recipients);

/* Looks at the next octets of content (LF line ends). */
void header_scan_feed(struct header_scan *h, struct span content);

#endif
