/*
 * session_checks: header checks (conf/header_check) of a session's message: they read along while its content
 * comes in, and what they decided is done when it is whole.
 */
#ifndef SMTPD_SESSION_CHECKS_H
#define SMTPD_SESSION_CHECKS_H

#include <stdbool.h>

struct session;
struct header_check;

/* The name of the rule in the log. */
#define SESSION_CHECKS_RULE "header-checks"

/* Are the rules here? Asked before a recipient is accepted. */
bool session_checks_are_ready(const struct session *s);

/* A check for the message that begins, the caller's; NULL: there are no rules. */
struct header_check *session_checks_begin(struct session *s);

/*
 * What the rules decided about a message that is whole and was not refused: holds it, sends it to somebody else. True:
 * it may be stored now. False: the session waits in SESSION_COMMITTING for an answer, after which it calls
 * session_content_store, or refuses the message.
 */
bool session_checks_apply(struct session *s) __attribute__((warn_unused_result));

#endif
