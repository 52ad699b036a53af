/*
 * txn: a mail transaction (RFC 5321 3.3): reverse-path, recipients, content.
 * A session has one or none; no transaction is a NULL pointer, so that "MAIL is
 * gone but RCPT is kept" cannot be said. RSET, EHLO, an accepted message and every
 * error end it by the same txn_free.
 */
#ifndef SMTPD_TXN_H
#define SMTPD_TXN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"
#include "queue/spool_record.h"
#include "smtpd/arena.h"
#include "smtpd/recipient.h"

struct content;

struct txn {
	struct arena strings; /* what the spans point into */
	struct span from;     /* canonical reverse-path, empty for <> */
	uint64_t declared;    /* SIZE of MAIL, 0 if not given */
	bool eight_bit;	      /* BODY=8BITMIME */
	bool utf8;	      /* SMTPUTF8 */
	uint64_t size_limit;  /* the recipients' own; 0: the one for all */
	uint64_t began_ms;    /* when MAIL came, on the server's clock */
	struct span envid, ret;
	int64_t release;  /* kept until then (RFC 4865), seconds since 1970; 0: not */
	struct span hold; /* why the message is to be held in the queue, empty if it is not */
	const char *hold_rule; /* whose reason it is, a static word; NULL: it is not held */
	struct recipients recipients;
	struct recipient asked;	 /* the one whose answer is awaited */
	bool counted;		 /* the directory wants to know if it is accepted */
	unsigned refused;	 /* RCPTs that were refused */
	uint64_t message;	 /* number of the message; 0 before DATA */
	char id[SPOOL_ID_SIZE];	 /* the same for people */
	int64_t received_ms;	 /* when content began, since 1970 */
	struct content *content; /* NULL before DATA or BDAT */
	struct txn_chunk {
		uint64_t size; /* as the last BDAT said */
		uint64_t left; /* octets of it still to come */
		bool last;
	} chunk; /* if content is chunked */
};

/* What the session knows about where a message comes from. */
struct txn_origin {
	struct span client; /* address, empty for local submission */
	struct span helo;
	struct span auth; /* account, empty if nobody has logged in */
	int64_t uid;	  /* -1 if it came from the network */
};

/* from is copied. */
struct txn *txn_new(struct span from);

/* Ends the transaction, with a large message under way. Clears *t; NULL is fine. */
void txn_free(struct txn **t);

/* Would the envelope of more recipients be in danger of exceeding ENVELOPE_MAX? */
bool txn_is_full(const struct txn *t);

/* It is to be held in the queue for this reason (empty: none was given), unless there is one already. rule is a static word, text is copied. */
void txn_hold(struct txn *t, const char *rule, struct span text);

/* Is there a recipient whose mail is not to be thrown away? */
bool txn_is_kept(const struct txn *t);

/* Appends the envelope as it is stored. -1 if it exceeds ENVELOPE_MAX. */
int txn_format_envelope(const struct txn *t, const struct txn_origin *o, struct buf *out);

#endif
