/*
 * bounce: composes a delivery status notification (RFC 3464, multipart/report of
 * RFC 6522) for recipients that failed. Pure: facts in, content (LF line ends)
 * out. Everything that came from a stranger is cleaned before it stands in a
 * header or a status field, so nothing can be injected.
 */
#ifndef QUEUE_BOUNCE_H
#define QUEUE_BOUNCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/verdict.h"

struct bounce_recipient {
	struct span original; /* as RCPT named it */
	struct span address;  /* final */
	struct span mta;      /* host that refused, empty if it was decided here */
	struct verdict verdict;
};

struct bounce {
	const char *hostname;
	const char *id;	    /* the failed message's, for people */
	const char *own_id; /* of the report itself: makes its Message-ID and boundary */
	struct span sender; /* reverse-path of the failed message: who is told */
	int64_t arrived;    /* seconds since 1970 */
	int64_t now;
	const struct bounce_recipient *recipients;
	size_t nrecipients;
	struct span content; /* of the failed message, or only its header */
	bool content_whole;  /* content is the whole message */
	bool eight_bit;	     /* content has octets above 127 */
};

/* Appends the report to out. -1 if out is full. */
int bounce_compose(const struct bounce *b, struct buf *out);

/* The header of content: up to and without the empty line that ends it, at most max octets, ending at a line end. */
struct span bounce_header_of(struct span content, size_t max);

#endif
