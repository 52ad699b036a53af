/*
 * session_input: what a session does with octets: commands to the dispatcher,
 * content to DATA, the rest of what was refused nowhere. What cannot be used yet
 * is kept, in memory that goes when it has been used.
 */
#ifndef SMTPD_SESSION_INPUT_H
#define SMTPD_SESSION_INPUT_H

#include "common/span.h"

struct session;

/* Uses octets that were read just now, behind those that were kept. */
void session_input_fresh(struct session *s, struct span fresh);

/* Uses octets that were kept, after the session's state has changed. */
void session_input_kept(struct session *s);

#endif
