/*
 * session_ahead: the question about the first recipient, asked together with the one about MAIL.
 * A client that sends its envelope as a group (RFC 2920) has said RCPT before MAIL is answered; asking about
 * both at once saves a way to the directory and back for each message, and the directory a turn of its loop.
 *
 * The answer counts when RCPT has its turn and asks for exactly this; if MAIL was refused, or its
 * answer wants something known first, it is dropped and RCPT asks by itself. The directory counts
 * nothing when it is asked (conf/policy_limits.h), so a question too many changes nothing.
 */
#ifndef SMTPD_SESSION_AHEAD_H
#define SMTPD_SESSION_AHEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "smtpd/question.h"

struct session;

/* A command waits, and in (not empty) is what the client has said behind it: asks, if that is MAIL and RCPT. */
void session_ahead_ask(struct session *s, struct span in, size_t line_limit);

/* RCPT is about to ask: true if that was done already, and fn is called with the answer. */
bool session_ahead_take(struct session *s, question_fn *fn);

/* Nobody waits for the answer any more. Fine if none is under way. */
void session_ahead_free(struct session *s);

#endif
