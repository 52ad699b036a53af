/*
 * sendmail_header: the header of a message that a local program hands over: where
 * it ends, who is named in it (-t), and what is missing in it. RFC 5322; what
 * sendmail adds and takes out. Everything else stays as it was, octet by octet.
 *
 * Pure. Text has LF line ends (common/lineend.h).
 */
#ifndef QUEUE_SENDMAIL_HEADER_H
#define QUEUE_SENDMAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"
#include "queue/sendmail_recipients.h"

/* Octets of a header; a longer one is refused. */
#define SENDMAIL_HEADER_MAX (1U << 20)

/*
 * Looks for the end of the header in the text's whole lines, from *at on (0 at first), moving *at
 * behind the lines that belong to it. True when the line at *at does not: it is empty (and to be
 * left out), or the body's first (an empty line is to be put before it). False: more text is needed. Only
 * the text's last line may be without its line end.
 */
bool sendmail_header_scan(struct span text, size_t *at);

struct sendmail_header_job {
	const char *hostname;  /* completes addresses without a domain, ends the Message-ID */
	const char *sender;    /* local@domain for a From field */
	const char *full_name; /* of the sender, may be NULL */
	const char *unique;    /* left part of a Message-ID, only letters, digits and dots */
	int64_t now;	       /* seconds since 1970, for a Date field */

	/* With -t: gets the addresses of To, Cc and Bcc, or of their Resent- forms if there is any. Else NULL. */
	struct sendmail_recipients *recipients;

	/* Called for what is no address in a field from which recipients are taken. Must be set if recipients is. */
	void (*on_bad_address)(struct span field, struct span text, const char *why, void *arg);
	void *arg;
};

/*
 * Appends the completed header to out, without the empty line: Bcc, Resent-Bcc, Return-Path and a mailbox's
 * `From ` line taken out; From, Date and Message-ID (Resent- forms in a resent message) put in where
 * missing; `@hostname` added to addresses without a domain. -1 if out is full.
 */
int sendmail_header_complete(
    struct span header, const struct sendmail_header_job *job, struct buf *out);

#endif
