/*
 * session_content: content of a session, from its first octet to the one reply
 * that says what became of the message (RFC 5321 4.1.1.4, RFC 3030 2).
 */
#ifndef SMTPD_SESSION_CONTENT_H
#define SMTPD_SESSION_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

struct session;

/* How large a message of the transaction under way may be: the least of its recipients' limits. */
uint64_t session_content_limit(const struct session *s);

/*
 * The transaction's message begins: it has a number, and content that begins with our trace field;
 * chunked if it comes by BDAT. False, and nothing changed, if there is no room for mail.
 */
bool session_content_begin(struct session *s, bool chunked) __attribute__((warn_unused_result));

/*
 * A chunk of this size follows, and after the last nothing: the session is in SESSION_CONTENT, or past
 * it if there is nothing to wait for. One reply comes when the chunk, or with the last the message, is done.
 */
void session_content_chunk(struct session *s, uint64_t size, bool last);

/* The session is in SESSION_CONTENT: may a few KiB of it cost milliseconds, for rules of header checks are tried on them? */
bool session_content_is_dear(const struct session *s);

/* Content at the front of *in, no more than a few KiB of it where that is dear; the session is in SESSION_CONTENT. */
void session_content_feed(struct session *s, struct span *in);

/* The message is whole, and from whom it says: header checks, then the spool. */
void session_content_check(struct session *s);

/* The message is whole and nothing speaks against it: to the spool. */
void session_content_store(struct session *s);

/* The transaction is over, its reply said; the session goes on unless that closes it. */
void session_content_end(struct session *s);

#endif
