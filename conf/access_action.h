/*
 * access_action: the right sides of sendmail's access table: OK, RELAY, REJECT, DISCARD, SKIP, QUARANTINE:text,
 * ERROR:x.y.z:code text, ERROR:code text, ERROR:"code text", and a bare "code text". Pure.
 */
#ifndef CONF_ACCESS_ACTION_H
#define CONF_ACCESS_ACTION_H

#include "common/span.h"
#include "common/verdict.h"

enum access_action {
	ACCESS_OK,	   /* not refused by what follows, such as lists of bad hosts */
	ACCESS_RELAY,	   /* that, and may relay */
	ACCESS_REJECT,	   /* refused with the text every such refusal has */
	ACCESS_DISCARD,	   /* accepted and thrown away */
	ACCESS_QUARANTINE, /* accepted and held, for the reason in verdict.text */
	ACCESS_ERROR,	   /* refused with verdict, temporarily or for good */
	ACCESS_SKIP, /* as if the table said nothing; the shorter keys are not looked for */
};

/* What may stand there, for a complaint. */
#define ACCESS_ACTIONS                                                                         \
	"OK, RELAY, REJECT, DISCARD, SKIP, QUARANTINE:text, ERROR:x.y.z:code text, or a "      \
	"reply such as 550 text"

/* 0, or -1. v is set for ERROR, and for QUARANTINE to the text alone. */
int access_action_parse(struct span s, enum access_action *action, struct verdict *v)
    __attribute__((warn_unused_result));

/* "OK", "RELAY", … as the table has it. */
const char *access_action_name(enum access_action action);

#endif
