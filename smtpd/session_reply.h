/*
 * session_reply: what a session says. Each call queues one reply; it leaves when
 * the session settles. Refusals are counted and logged with their rule here, and
 * the one that reaches error-limit becomes 421 (RFC 5321 4.3.2 lets any command be
 * answered so).
 */
#ifndef SMTPD_SESSION_REPLY_H
#define SMTPD_SESSION_REPLY_H

#include "common/span.h"
#include "common/verdict.h"
#include "smtpd/question.h"
#include "smtpd/smtp_reply.h"

struct session;

/* A row of the catalogue, which may close the session; detail follows its text. */
void session_reply(struct session *s, enum smtp_reply_id id);
void session_reply_detail(struct session *s, enum smtp_reply_id id, struct span detail);

/* What another process decided; rule is its name for the log. 421 closes the session. */
void session_reply_verdict(struct session *s, const struct verdict *v, struct span rule);

/* What policy found and let pass, into the log: a line for each. */
void session_log_warnings(const struct session *s, const struct answer *a);

/* A whole reply made in advance, with its CRLF. */
void session_reply_text(struct session *s, const char *text);

/* A whole reply was written to s->transport.out. */
void session_replied(struct session *s);

#endif
