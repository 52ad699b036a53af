/*
 * header_action: what stands behind a pattern of header checks: REJECT, HOLD, … with its text. Part of
 * header_rules. Pure.
 */
#ifndef CONF_HEADER_ACTION_H
#define CONF_HEADER_ACTION_H

#include "conf/header_rules.h"

/* Longest text of an action. */
#define HEADER_TEXT_MAX 900

/* The first word of *s, which is moved to what follows it. */
struct span header_action_word(struct span *s);

/* Sets action, status and text of r, whose pattern is known. -1 with what was expected in *why. */
int header_action_parse(struct span s, struct header_rule *r, struct buf *why);

#endif
