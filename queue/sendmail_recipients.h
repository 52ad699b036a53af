/*
 * sendmail_recipients: the envelope's recipients and what became of each. They
 * come from the command line or, with -t, from the header; each is brought
 * to the canonical form of common/address.h and kept once.
 */
#ifndef QUEUE_SENDMAIL_RECIPIENTS_H
#define QUEUE_SENDMAIL_RECIPIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/hash.h"
#include "common/span.h"
#include "common/verdict.h"

enum sendmail_recipient_state {
	SENDMAIL_RECIPIENT_PENDING,  /* not yet said to the server, or to be said again */
	SENDMAIL_RECIPIENT_ACCEPTED, /* its RCPT was taken, the message not yet */
	SENDMAIL_RECIPIENT_SENT,     /* the message was taken for it */
	SENDMAIL_RECIPIENT_DEFERRED, /* the daemon could not decide: for drop/ */
	SENDMAIL_RECIPIENT_REFUSED,  /* refused, for good or for now as the verdict says */
};

/* Recipients of one message. */
#define SENDMAIL_RECIPIENTS_MAX 50000

struct sendmail_recipient {
	char *address; /* canonical */
	enum sendmail_recipient_state state;
	struct verdict *verdict; /* of DEFERRED and REFUSED, else NULL */
};

struct sendmail_recipients {
	struct sendmail_recipient **v;
	size_t n, cap;
	struct hash seen; /* address to struct sendmail_recipient */
	const struct sendmail_recipients
	    *except; /* may be NULL; never added: they are in this set */
	bool utf8;   /* one of them needs SMTPUTF8 */
};

void sendmail_recipients_init(struct sendmail_recipients *r);
void sendmail_recipients_release(struct sendmail_recipients *r);

/*
 * Adds an address, `@hostname` appended if it has no domain; one that is there already or in r->except
 * is passed over. -1 with *why (static) if it is no valid address or there are too many.
 */
int sendmail_recipients_add(struct sendmail_recipients *r, struct span text, bool qualified,
    const char *hostname, const char **why);

/* Adds every address of a command line argument (a list). -1 with *why; nothing is to be sent then. */
int sendmail_recipients_add_list(
    struct sendmail_recipients *r, struct span list, const char *hostname, const char **why);

/* How many are in this state. */
size_t sendmail_recipients_count(
    const struct sendmail_recipients *r, enum sendmail_recipient_state state);

/* Sets the state; v is copied and may be NULL. */
void sendmail_recipient_decide(struct sendmail_recipient *rcpt,
    enum sendmail_recipient_state state, const struct verdict *v);

/* Every recipient in state `from` gets state `to` and this verdict (NULL: none). */
void sendmail_recipients_decide_all(struct sendmail_recipients *r,
    enum sendmail_recipient_state from, enum sendmail_recipient_state to,
    const struct verdict *v);

#endif
