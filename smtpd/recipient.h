/*
 * recipient: one RCPT of a transaction, and the list of them. An address stands
 * in the list once, however often it was named. What is in the list was accepted;
 * the one that is still asked about is kept beside it.
 */
#ifndef SMTPD_RECIPIENT_H
#define SMTPD_RECIPIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

struct recipient {
	struct span address; /* canonical */
	struct span orcpt;   /* as given, empty if none */
	struct span notify;  /* as given, empty if none */
	uint32_t hash;	     /* of the address */
	bool discard;	     /* its mail is accepted and thrown away */
	bool hosted;	     /* the directory delivers it here, perhaps behind an alias */
};

struct recipients {
	struct recipient *v;
	size_t n, cap;
};

void recipients_init(struct recipients *r);
void recipients_release(struct recipients *r);

/* Is there one with this address? */
bool recipients_has(const struct recipients *r, struct span address);

/* Is there a hosted one with this address, ASCII case aside? */
bool recipients_has_hosted(const struct recipients *r, struct span address);

/* Appends one (its spans are borrowed and outlive the list). The caller has asked recipients_has. */
void recipients_add(struct recipients *r, const struct recipient *one);

#endif
