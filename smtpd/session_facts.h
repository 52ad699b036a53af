/*
 * session_facts: what is known of a session's client from the DNS. The directory's
 * answers to connect and MAIL say what it wants to know; that is asked here while the
 * session goes on, and questions about MAIL and RCPT wait until it is known. A
 * session of which nothing is wanted has none of this.
 */
#ifndef SMTPD_SESSION_FACTS_H
#define SMTPD_SESSION_FACTS_H

#include "smtpd/facts_source.h"
#include "smtpd/question.h"

struct session;

/* Asks for what the answer wants to know. Nothing else may be under way. */
void session_facts_want(struct session *s, const struct answer *a);

/*
 * Is something under way? Then the question of this kind is asked when it is there; one at a time.
 * Before MAIL: forgets what could not be told last time.
 */
bool session_facts_delay(struct session *s, enum question_kind kind, question_fn *fn);

/* What is known; NULL: nothing. */
const struct facts *session_facts_known(const struct session *s);

/* The client's confirmed name, or empty. */
struct span session_facts_name(const struct session *s);

/* " name=host", written to out, for a line of the log; or "", with out as it was. */
#define SESSION_FACTS_TEXT_SIZE (DOMAIN_MAX + 8)
const char *session_facts_text(const struct session *s, char out[SESSION_FACTS_TEXT_SIZE]);

/* Nobody waits for them any more: no question is asked. */
void session_facts_cancel(struct session *s);

/* Forgets everything: the client is another one, or the session ends. */
void session_facts_free(struct session *s);

/* What is known of from's client is known of to's, but for what was said on it. */
void session_facts_move(struct session *from, struct session *to);

#endif
