/*
 * mime_scan: finds the header fields of a message while its content passes: those of the
 * message itself, of its MIME parts (RFC 2046 5.1), and of messages attached to it (5.2). Each is
 * handed over once, unfolded (RFC 5322 2.2.3). Bodies are not decoded.
 *
 * Pure; memory and work are bounded by the limits below, whatever a stranger sends; and however the
 * octets are cut into pieces, the result is the same.
 */
#ifndef COMMON_MIME_SCAN_H
#define COMMON_MIME_SCAN_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/mime_boundary.h"
#include "common/span.h"

/* Octets of a field that are kept, unfolded; the rest is passed over. */
#define MIME_FIELD_MAX (64U << 10)
/* A multipart in a multipart in a …: the body of a deeper one is not looked into. */
#define MIME_DEPTH_MAX 10
/* Parts and attached messages; behind these nothing is looked at. */
#define MIME_PARTS_MAX 1000

/* Whose header a field stands in. */
enum mime_where {
	MIME_MESSAGE,  /* the message's own */
	MIME_PART,     /* a part's */
	MIME_ATTACHED, /* an attached message's (message/rfc822) */
};

struct mime_field {
	enum mime_where where;
	unsigned line; /* of content, where it begins; the first is 1 */
	struct span
	    text; /* "Name: value" without line ends; valid until the function returns */
	bool cut; /* longer than MIME_FIELD_MAX */
};

typedef void mime_field_fn(const struct mime_field *f, void *arg);

/* What was not looked at, for the log. */
enum mime_note {
	MIME_TOO_DEEP = 1,
	MIME_TOO_MANY = 2,
	MIME_BOUNDARY_TOO_LONG = 4, /* or it may stand where its field is cut */
	MIME_FIELD_CUT = 8,
	MIME_TOO_MANY_BOUNDARIES = 16, /* of one header: MIME_BOUNDARIES_MAX */
};

/* What the header at hand says about the body behind it: with several Content-Type all that one of them says. */
struct mime_body {
	struct buf boundaries; /* of mime_boundary_list; empty: it is no multipart */
	bool digest;  /* its parts are messages unless they say otherwise (RFC 2046 5.1.5) */
	bool message; /* it is one */
	bool typed;   /* the header has a Content-Type */
};

struct mime_level {
	struct buf boundaries;
	bool digest;
};

struct mime_scan {
	mime_field_fn *fn;
	void *arg;
	struct mime_level levels[MIME_DEPTH_MAX];
	unsigned depth, parts;
	unsigned notes; /* of enum mime_note */
	unsigned line;	/* the one at hand */
	bool done;	/* no header can follow */
	bool in_header;
	unsigned header_line; /* behind which it begins */
	enum mime_where where;
	struct buf text;  /* the line at hand; of one in a body no more than a boundary needs */
	bool line_cut;	  /* there was more of it */
	struct buf field; /* unfolded so far */
	unsigned field_line; /* 0: no field is at hand */
	bool field_cut;
	struct mime_body body;
};

void mime_scan_init(struct mime_scan *m, mime_field_fn *fn, void *arg);
void mime_scan_release(struct mime_scan *m);

/* The next octets of content (LF line ends). */
void mime_scan_feed(struct mime_scan *m, struct span content);

/* The end of content: what is at hand is handed over. */
void mime_scan_finish(struct mime_scan *m);

/* "message", "part", "attached". */
const char *mime_where_name(enum mime_where where);

#endif
