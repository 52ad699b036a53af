/*
 * reply: what an SMTP server answers (RFC 5321 4.2, enhanced codes RFC 2034),
 * collected from octets as they come. Pure. Used by smtp_client.c.
 *
 * Servers are hostile: the number of lines and of octets is bounded, a line too
 * long is kept in part, work is linear in what arrives. Nothing of the text is
 * trusted to be printable; struct verdict cleans it.
 */
#ifndef DELIVER_REPLY_H
#define DELIVER_REPLY_H

#include "common/buf.h"
#include "common/span.h"
#include "common/verdict.h"

/* Octets of one reply that are read at all; REMOTE_REPLY_MAX of them are kept. */
#define REPLY_OCTETS_MAX (128U << 10)

struct reply {
	int code;	 /* 200 to 599 once the first line is whole */
	struct buf text; /* lines without code, separated by LF */
	struct buf line; /* the line under way */
	unsigned lines;	 /* whole ones */
	size_t octets;	 /* of this reply so far */
};

enum reply_state {
	REPLY_MORE, /* not whole yet */
	REPLY_DONE,
	REPLY_BAD, /* not SMTP, or beyond the bounds: the connection cannot go on */
};

void reply_init(struct reply *r);
void reply_release(struct reply *r);

/* Ready for the next reply, keeping memory. */
void reply_clear(struct reply *r);

/*
 * Takes octets of *in up to the end of the reply, moving *in. After REPLY_DONE *in
 * begins with what follows; clear before feeding again. Line ends: CRLF; a bare LF is tolerated.
 */
enum reply_state reply_feed(struct reply *r, struct span *in);

/* First digit of the code: 2 to 5. */
int reply_class(const struct reply *r);

/*
 * The reply as a verdict: ok for 2xx and 3xx, temporary for 4xx, permanent for 5xx, enhanced status from the text if
 * it has one, its class corrected, else class.0.0. Lines of text are joined by a space.
 */
void reply_verdict(const struct reply *r, struct verdict *v);

#endif
