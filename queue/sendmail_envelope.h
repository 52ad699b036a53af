/*
 * sendmail_envelope: what sendmail submits besides the content. One form for both
 * ways it can go: over the submit socket (sendmail_submit.h) or into drop/ (sendmail_drop.h).
 */
#ifndef QUEUE_SENDMAIL_ENVELOPE_H
#define QUEUE_SENDMAIL_ENVELOPE_H

#include <stdbool.h>

#include "common/address.h"
#include "queue/sendmail_recipients.h"

struct sendmail_envelope {
	const char *hostname;		  /* for EHLO */
	struct address from;		  /* canonical; "" for <> */
	const char *envid, *ret, *notify; /* RFC 3461, NULL if not given */
	bool eight_bit;			  /* -B8BITMIME, whatever the content holds */
	struct sendmail_recipients recipients;
};

/*
 * The reverse-path from what -f was given (a mailbox, perhaps with a name; "" for <>), `@hostname`
 * appended if it has no domain. -1 with *why (static) if it is none.
 */
int sendmail_envelope_set_sender(
    struct sendmail_envelope *e, const char *text, const char *hostname, const char **why);

/* Does an address of it need SMTPUTF8? An international domain does not: it is an A-label. */
bool sendmail_envelope_is_utf8(const struct sendmail_envelope *e);

#endif
