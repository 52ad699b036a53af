/*
 * session_private: what the files of session share. Used by smtpd/session*.c only.
 */
#ifndef SMTPD_SESSION_PRIVATE_H
#define SMTPD_SESSION_PRIVATE_H

#include "smtpd/session.h"

/* A session without a transport, in the server's list, with its settings and an id of its own. */
struct session *session_make(struct server *sv, const struct session_origin *origin);

/* Frees it; what is logged and counted at a session's end is not. */
void session_discard(struct session **s);

/* Takes the descriptor, and ssl (NULL: in clear). */
void session_open(struct session *s, int fd, SSL *ssl);

/* Does a client that talks before the greeting give himself away? */
bool session_delays_greeting(const struct session *s);

/* Says the greeting, if nothing is to be waited for any more. */
void session_greet(struct session *s);

/* What a question says of the session, its transaction and the recipient under way; tells of commands not told before. */
struct question session_question(struct session *s, enum question_kind kind);

/* Sets its timer for the state it is in. */
void session_set_timer(struct session *s);

#endif
