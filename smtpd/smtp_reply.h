/*
 * reply: the catalogue of everything smtpd says (RFC 5321 4.2, RFC 3463), and how
 * a reply becomes lines. Every line ends in CRLF and has at most
 * REPLY_LINE_MAX octets, the class of an enhanced code equals that of the
 * reply, and octets that are not printable ASCII leave as \xNN.
 */
#ifndef SMTPD_SMTP_REPLY_H
#define SMTPD_SMTP_REPLY_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/span.h"
#include "common/verdict.h"

enum smtp_reply_id {
	REPLY_HELP,
	REPLY_START_TLS,
	REPLY_CLOSING,
	REPLY_OK,
	REPLY_SENDER_OK,
	REPLY_RECIPIENT_OK,
	REPLY_QUEUED,
	REPLY_CHUNK,
	REPLY_CANNOT_VERIFY,
	REPLY_SEND_CONTENT,
	REPLY_STOPPING,
	REPLY_IDLE,
	REPLY_SESSION_TIME,
	REPLY_TRANSACTION_TIME,
	REPLY_SLOW,
	REPLY_TOO_MANY_ERRORS,
	REPLY_TOO_MANY_LOGINS,
	REPLY_TOO_MUCH_JUNK,
	REPLY_TOO_MANY_TRANSACTIONS,
	REPLY_CONNECTIONS,
	REPLY_CONNECTIONS_CLIENT,
	REPLY_CONNECTIONS_NETWORK,
	REPLY_CANNOT_TELL,
	REPLY_CHECKS_MISSING,
	REPLY_TOO_MANY_RECIPIENTS,
	REPLY_OTHER_SIZE,
	REPLY_NO_ROOM,
	REPLY_NO_TLS,
	REPLY_UNKNOWN,
	REPLY_LINE_TOO_LONG,
	REPLY_LINE_ENDLESS,
	REPLY_LINE_END,
	REPLY_CONTROL_OCTET,
	REPLY_NOT_TEXT,
	REPLY_NO_ARGUMENT_ALLOWED,
	REPLY_ARGUMENT_MISSING,
	REPLY_HELO_NAME,
	REPLY_SYNTAX,
	REPLY_SENDER_SYNTAX,
	REPLY_RECIPIENT_SYNTAX,
	REPLY_SENDER_UTF8,
	REPLY_RECIPIENT_UTF8,
	REPLY_PARAMETER_SYNTAX,
	REPLY_CHUNK_SIZE,
	REPLY_CHUNK_TOO_BIG,
	REPLY_CHUNK_BARE,
	REPLY_XCLIENT,
	REPLY_CHUNKED,
	REPLY_LOGGED_IN,
	REPLY_LOGIN_SYNTAX,
	REPLY_LOGIN_CODING,
	REPLY_LOGIN_CANCELLED,
	REPLY_LOGIN_ALREADY,
	REPLY_LOGIN_MECHANISM,
	REPLY_LOGIN_TLS,
	REPLY_LOGIN_FAILED,
	REPLY_NOT_OFFERED,
	REPLY_HELLO_FIRST,
	REPLY_MAIL_FIRST,
	REPLY_RECIPIENT_FIRST,
	REPLY_NESTED,
	REPLY_TLS_ALREADY,
	REPLY_ONLY_QUIT,
	REPLY_EARLY_INPUT,
	REPLY_EARLY_CLEAR,
	REPLY_EARLY_TALKER,
	REPLY_FOREIGN,
	REPLY_NO_RECIPIENTS,
	REPLY_PARAMETER_UNKNOWN,
	REPLY_RELEASE_TOO_LATE,
	REPLY_TOO_BIG,
	REPLY_BARE_LINE_END,
	REPLY_TOO_MANY_HOPS,
	REPLY_DELIVERED_BEFORE,
	REPLY_COUNT
};

struct smtp_reply {
	int code;
	const char *status; /* x.y.z, NULL where RFC 2034 has none */
	const char *text;
	const char *rule; /* name of what decided, for the log; NULL for what refuses nothing */
	bool closes;	  /* the connection is closed behind it */
};

/* A row of the catalogue. Never NULL; static. */
const struct smtp_reply *smtp_reply_find(enum smtp_reply_id id);

/*
 * Appends the reply as one line; detail (may be empty) follows the text after a
 * space and is cut where the line would grow too long.
 */
void smtp_reply_format(struct buf *out, const struct smtp_reply *r, struct span detail);

/*
 * Appends what another process decided, as one line. A code that does not fit
 * the verdict's kind is replaced: 250, 451 or 550. Returns the code sent.
 */
int smtp_reply_format_verdict(struct buf *out, const struct verdict *v);

/*
 * Appends text with octets that are not printable ASCII as \xNN, at most room octets in all; no \xNN is cut. out can grow
 * by as much: what does not fit is left out without a word.
 */
void smtp_reply_escape(struct buf *out, struct span text, size_t room);

#endif
