/*
 * session_author: may who has logged in say that the message is from whom it says (check-header-from)? The
 * message's authors are collected while it comes in, and the directory is asked when it is whole.
 */
#ifndef SMTPD_SESSION_AUTHOR_H
#define SMTPD_SESSION_AUTHOR_H

#include <stdbool.h>

struct session;
struct author_scan;

/* A scan for the message that begins, the caller's; NULL: it is not checked. */
struct author_scan *session_author_begin(const struct session *s);

/*
 * The message is whole. True: it may go on. False: the session waits in SESSION_COMMITTING for the answer, after which
 * session_content_check follows, or the message is refused.
 */
bool session_author_apply(struct session *s) __attribute__((warn_unused_result));

/* Fills in the question. */
struct question;
void session_author_fill(const struct session *s, struct question *q);

#endif
