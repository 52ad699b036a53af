/*
 * spool_envelope: what travels with a message's content: reverse-path,
 * recipients, and what the session knew. Stored as the text of a wire message
 * (`envelope` and `name=value` lines), so every value is escaped and nothing a
 * client sent can add a field.
 */
#ifndef QUEUE_SPOOL_ENVELOPE_H
#define QUEUE_SPOOL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"

struct envelope_recipient {
	struct span address; /* canonical, as accepted at RCPT */
	struct span orcpt;   /* ORCPT as given (RFC 3461 4.2), empty if none */
	struct span notify;  /* NOTIFY as given, empty if none */
};

struct envelope {
	struct span from;   /* canonical; empty for <> */
	struct span client; /* address of the client, empty for local submission */
	struct span helo;
	struct span auth;	/* account, empty if none */
	int64_t uid;		/* submitter, -1 if it came from the network */
	bool eight_bit;		/* BODY=8BITMIME was said or content has octets above 127 */
	bool utf8;		/* SMTPUTF8 */
	struct span envid, ret; /* RFC 3461, empty if none */
	int64_t release;  /* not tried before, seconds since 1970 (RFC 4865); 0: at once */
	struct span hold; /* why it is to be held in the queue, empty if it is not */
	/*
	 * Of a DSN: the number of the message it reports on, in decimal; empty if it is none. Which entries of
	 * that message it tells the end of, and which it tells to be late: decimal numbers
	 * separated by spaces.
	 */
	struct span bounce_of, bounce_entries, bounce_delayed;
	struct envelope_recipient *recipients;
	size_t nrecipients;
	char *arena; /* owned by a parsed envelope: what the spans point into */
};

/* Appends the text form to out. -1 if out is full. The spans are borrowed. */
int envelope_format(const struct envelope *e, struct buf *out);

/*
 * Appends a field that means nothing, so that the text form grows to this many octets: at least ENVELOPE_PAD_MIN more than it
 * has. Room for another one, of which is not known yet how long it will be.
 */
#define ENVELOPE_PAD_MIN 5
void envelope_pad(struct buf *text, size_t len);

/* Parses text (copied). -1 if malformed. The caller releases. */
int envelope_parse(struct span text, struct envelope *e);

/* Frees what envelope_parse allocated. */
void envelope_release(struct envelope *e);

#endif
