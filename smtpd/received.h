/*
 * received: the trace field that is put on top of every message (RFC 5321 4.4).
 * Pure. Nothing a client said can leave the place it is given: what is not a
 * letter, digit or one of -_.:[] in its HELO name becomes a question mark.
 */
#ifndef SMTPD_RECEIVED_H
#define SMTPD_RECEIVED_H

#include <stdint.h>

#include "common/buf.h"
#include "common/netaddr.h"
#include "common/span.h"
#include "smtpd/tls_info.h"

/* Upper bound of what received_format appends: names of 255, an address of 320 octets, a subject, a fingerprint, the rest. */
#define RECEIVED_MAX 2688

struct received {
	struct span hostname; /* ours */
	struct span helo;
	struct span name;	      /* of the client, confirmed; empty: not known */
	const struct netaddr *client; /* NULL for local submission */
	int64_t uid;		      /* submitter, for local submission */
	const char *protocol; /* "SMTP", "ESMTP", "ESMTPS" (RFC 3848), "UTF8SMTP" (RFC 6531) */
	const struct tls_info *tls; /* NULL: it came in clear */
	const char *id;		    /* of the message */
	struct span recipient;	    /* empty unless it is the only one */
	int64_t when;		    /* seconds since 1970 */
};

/* Appends the field with LF line ends. out has room for RECEIVED_MAX octets. */
void received_format(const struct received *r, struct buf *out);

#endif
