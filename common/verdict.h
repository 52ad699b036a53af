/*
 * verdict: what was decided about a command, a recipient or a message, in one
 * form from the SMTP reply through the queue to the bounce. It starts as
 * temporary, so that a path which forgets to decide makes mail wait, not vanish.
 */
#ifndef COMMON_VERDICT_H
#define COMMON_VERDICT_H

#include <stdbool.h>

#include "common/span.h"

enum verdict_kind {
	VERDICT_TEMPORARY, /* 4xx: try again */
	VERDICT_OK,	   /* 2xx */
	VERDICT_PERMANENT, /* 5xx: never */
};

struct verdict {
	enum verdict_kind kind;
	int code;	 /* SMTP reply code, 0 if it did not come from SMTP */
	char status[12]; /* enhanced status x.y.z (RFC 3463), class equal to kind */
	char text[400];	 /* one line for people, printable ASCII or UTF-8 */
};

/* A temporary verdict 451 4.3.0 without a decision. */
void verdict_init(struct verdict *v);

/* Sets all of it; the text is formatted, cut to fit at a character, and cleaned of control octets. */
void verdict_set(struct verdict *v, enum verdict_kind kind, int code, const char *status,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The same for text as it stands, a percent sign, too: no printf for what happens with every message. May point into v. */
void verdict_set_text(
    struct verdict *v, enum verdict_kind kind, int code, const char *status, const char *text);

/* As verdict_set_text with the parts as received: the status's class is corrected to kind (RFC 3463 2). */
void verdict_set_parts(
    struct verdict *v, enum verdict_kind kind, int code, struct span status, struct span text);

/* "ok", "temporary", "permanent", and back (-1 if none of these). */
const char *verdict_kind_name(enum verdict_kind kind);
int verdict_kind_parse(struct span s, enum verdict_kind *kind);

/* Is it x.y.z with x of 2, 4, 5 and at most three digits each (RFC 3463 2)? */
bool verdict_status_valid(struct span status);

#endif
