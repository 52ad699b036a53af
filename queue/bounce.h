/*
 * bounce: composes a delivery status notification (RFC 3464, multipart/report of
 * RFC 6522): what became of recipients of a message, for its sender. Pure: facts in,
 * content (LF line ends) out. The text a person reads is in bounce_text.c, the status part in
 * bounce_status.c, what is returned of the message in bounce_returned.c.
 *
 * Invariants: everything that came from a stranger is cleaned before it stands in a line of ours, and no
 * part holds the boundary, so nothing can be injected; a report is at most MESSAGE_INLINE_MAX
 * octets; only a message that is returned whole, or an addressee in UTF-8, can make it 8-bit.
 */
#ifndef QUEUE_BOUNCE_H
#define QUEUE_BOUNCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/verdict.h"

/* RFC 3464 2.3.3 */
enum bounce_action {
	BOUNCE_FAILED,
	BOUNCE_DELAYED,
	BOUNCE_DELIVERED,
	BOUNCE_RELAYED,
	BOUNCE_EXPANDED,
};

struct bounce_recipient {
	enum bounce_action action;
	struct span original; /* as RCPT named it */
	struct span orcpt;    /* ORCPT as given, empty if none was */
	struct span address;  /* final */
	struct span mta;      /* host that said so, empty if it was decided here */
	struct verdict
	    verdict;   /* the last one; one that is not permanent failed for want of time */
	int64_t tried; /* the last attempt, seconds since 1970; 0 unknown */
	int64_t until; /* of a delayed one: when it will be given up; 0 unknown */
};

/* Recipients that one report can name; fewer if their part grows too large. */
#define BOUNCE_RECIPIENTS_MAX 1000

/* A message up to this size may be returned whole; beyond it is only its header, and of that so much. */
#define BOUNCE_WHOLE_MAX  (128U << 10)
#define BOUNCE_HEADER_MAX (32U << 10)

struct bounce {
	const char *hostname;
	const char *id;	    /* the message's, for people */
	const char *own_id; /* of the report itself: makes its Message-ID */
	uint64_t salt;	/* for the boundary: nothing whoever wrote the message can have known */
	struct span to; /* who is told: the reverse-path of the message */
	bool to_postmaster; /* for want of a reverse-path; `to` is the postmaster's address */
	struct span envid;  /* ENVID as given, empty if none was */
	struct span
	    helo; /* how the client called itself that sent it; empty if it was no mail server */
	int64_t arrived; /* seconds since 1970 */
	int64_t now;
	const struct bounce_recipient *recipients; /* at most BOUNCE_RECIPIENTS_MAX */
	size_t nrecipients;			   /* at least 1 */
	struct span
	    text; /* template of the sender's domain (postrider-domain(5)); empty: ours */
	struct span content; /* of the message, or only its header */
	bool content_whole;  /* content is the whole message */
	bool utf8;	     /* it came with SMTPUTF8: its header may hold UTF-8 (RFC 6531) */
};

struct bounce_result {
	size_t
	    nrecipients; /* how many of the recipients, from the first on, the report tells of: at least 1 */
	bool eight_bit; /* it holds octets above 127 */
	bool utf8;	/* its own header does: it goes with SMTPUTF8 */
};

/* Appends the report to out. -1 if out is full. */
int bounce_compose(const struct bounce *b, struct buf *out, struct bounce_result *result);

/* The header of content: up to and without the empty line that ends it, at most max octets, ending at a line end. */
struct span bounce_header_of(struct span content, size_t max);

/*
 * Appends a report of ours that is not 8-bit any more, for a server that takes no other: of the
 * message it returns the header is left. -1 if report is none of ours, or out is full.
 */
int bounce_seven_bit(struct span report, struct buf *out);

#endif
