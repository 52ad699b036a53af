/*
 * dsn: what RFC 3461 says about a recipient, as the queue keeps it: NOTIFY as a
 * set, and addresses in the ASCII form that a report may show (RFC 6533). Pure. Used by
 * the store (from envelopes), the outcome of a delivery, jobs and reports.
 */
#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H

#include "common/buf.h"
#include "common/span.h"

/* What a sender wants to hear of (RFC 3461 4.1). */
enum dsn_notify {
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8,
	NOTIFY_IMPLIED =
	    16, /* nothing was said: failures, and delays by our choice (RFC 3461 5.2.4) */
};

#define NOTIFY_DEFAULT (NOTIFY_FAILURE | NOTIFY_DELAY | NOTIFY_IMPLIED)

/* The set that a NOTIFY parameter names; NOTIFY_DEFAULT for an empty value, or one that is none. */
unsigned dsn_notify_parse(struct span value);

/* "SUCCESS,FAILURE" and the like; "" for an implied set: none is passed on then (RFC 3461 5.2.1). Static. */
const char *dsn_notify_format(unsigned notify);

/*
 * What holds for the targets of an alias: one target has the set of the alias; of several none
 * reports success, for the alias does as `expanded` (RFC 3461 5.2.7.3).
 */
unsigned dsn_notify_expanded(unsigned notify, size_t targets);

/* The longest that one octet becomes below. */
#define DSN_ASCII_GROWTH 4

/*
 * Appends s in printable ASCII: a character beyond it as \x{HEX} (RFC 6533 3), an octet that is no
 * part of one, or a control, as \xNN. -1 if out is full.
 */
int dsn_add_ascii(struct buf *out, struct span s);

/* Is it the type of an address, as in ORCPT: an atom (RFC 3461 4.2)? */
bool dsn_type_valid(struct span type);

/*
 * Appends "type; address" for Original-Recipient (RFC 3464 2.3.1) out of the value of an ORCPT
 * parameter; -1, with nothing added, if that is none or would not stand on a line.
 */
int dsn_add_original(struct buf *out, struct span orcpt);

/* Appends "rfc822; address" or, if it is not ASCII, "utf-8; address" (RFC 6533 3) for Final-Recipient. */
int dsn_add_address(struct buf *out, struct span address);

/*
 * The same for a part of a report that may hold UTF-8, message/global-delivery-status: characters beyond ASCII
 * stand for themselves (RFC 6533 4).
 */
int dsn_add_original_utf8(struct buf *out, struct span orcpt);
int dsn_add_address_utf8(struct buf *out, struct span address);

/*
 * Appends the value of an ORCPT parameter as it may be passed on: as it came, or with what is not ASCII coded
 * (RFC 6533 3). -1, with nothing added, if it is none.
 */
int dsn_add_given_orcpt(struct buf *out, struct span orcpt);

/* Appends the address as the value of an ORCPT parameter (RFC 3461 4.2, RFC 6533 3). -1 if out is full. */
int dsn_add_orcpt(struct buf *out, struct span address);

#endif
