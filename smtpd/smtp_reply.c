/*
 * reply: the catalogue of everything smtpd says. See reply.h. Used by the
 * session alone; what a reply means is in RFC 5321 4.2.2 and RFC 3463.
 */
#include "smtpd/smtp_reply.h"

#include <stdio.h>
#include <string.h>

#include "common/decimal.h"
#include "common/limits.h"
#include "conf/refusal.h"

#define ROW(id, code, status, text, rule) [id] = {code, status, text, rule, false}
#define END(id, code, status, text, rule) [id] = {code, status, text, rule, true}

static const struct smtp_reply catalogue[REPLY_COUNT] = {
    ROW(REPLY_HELP, 214, "2.0.0",
	"HELO EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP; see RFC 5321", NULL),
    ROW(REPLY_START_TLS, 220, "2.0.0", "Begin TLS", NULL),
    END(REPLY_CLOSING, 221, "2.0.0", "Goodbye", NULL),
    ROW(REPLY_OK, 250, "2.0.0", "OK", NULL),
    ROW(REPLY_SENDER_OK, 250, "2.1.0", "Sender OK", NULL),
    ROW(REPLY_RECIPIENT_OK, 250, "2.1.5", "Recipient OK", NULL),
    ROW(REPLY_QUEUED, 250, "2.0.0", "Queued as", NULL),
    ROW(REPLY_CHUNK, 250, "2.0.0", "Octets taken:", NULL),
    ROW(REPLY_CANNOT_VERIFY, 252, "2.0.0", "Send mail for it and see", NULL),
    ROW(REPLY_SEND_CONTENT, 354, NULL, "Send the message, then a line with only a dot", NULL),

    END(REPLY_STOPPING, 421, "4.3.2", "Shutting down, try again later", "stopping"),
    END(REPLY_IDLE, 421, "4.4.2", "Nothing came for too long", "idle-timeout"),
    END(REPLY_SESSION_TIME, 421, "4.4.2", "This session has lasted too long",
	"session-timeout"),
    END(REPLY_TRANSACTION_TIME, 421, "4.4.2", "This message has taken too long",
	"transaction-timeout"),
    END(REPLY_SLOW, 421, "4.4.2", "The message comes too slowly", "minimum-rate"),
    END(REPLY_TOO_MANY_ERRORS, 421, "4.7.0", "Too many errors", "error-limit"),
    END(REPLY_TOO_MANY_LOGINS, 421, "4.7.0", "Too many failed logins", "auth-failure-limit"),
    END(REPLY_TOO_MUCH_JUNK, 421, "4.7.0", "Too many commands without mail", "junk-limit"),
    END(REPLY_TOO_MANY_TRANSACTIONS, 421, "4.7.0",
	"Too many messages in one session, connect again for the rest", "transaction-limit"),
    END(REPLY_CONNECTIONS, 421, "4.3.2", "Too many connections, try again later",
	"connection-limit"),
    END(REPLY_CONNECTIONS_CLIENT, 421, "4.7.0", "Too many connections from your address",
	"connection-limit-per-client"),
    END(REPLY_CONNECTIONS_NETWORK, 421, "4.7.0", "Too many connections from your network",
	"connection-limit-per-network"),
    ROW(REPLY_CANNOT_TELL, 451, "4.3.0", "Cannot decide now, try again later", "cannot-tell"),
    ROW(REPLY_CHECKS_MISSING, 451, "4.3.5",
	"Header checks cannot be read here, try again later", "header-checks"),
    ROW(REPLY_TOO_MANY_RECIPIENTS, 452, "4.5.3",
	"Too many recipients, send the rest in another message", "recipient-limit"),
    ROW(REPLY_OTHER_SIZE, 452, "4.5.3",
	"Another size is the limit for this recipient: say SIZE, or send it a message of its "
	"own",
	"message-size-limit"),
    ROW(REPLY_NO_ROOM, 452, "4.3.1", "No room for mail now, try again later", "no-room"),
    ROW(REPLY_NO_TLS, 454, "4.7.0", "TLS is not available now", "tls-unavailable"),

    ROW(REPLY_UNKNOWN, 500, "5.5.2", "Unknown command", "unknown-command"),
    ROW(REPLY_LINE_TOO_LONG, 500, "5.5.2", "Line too long", "command-line-limit"),
    END(REPLY_LINE_ENDLESS, 500, "5.5.2", "Line too long", "command-line-limit"),
    END(REPLY_LINE_END, 500, "5.5.2", "Lines end with CR LF and hold neither", "bare-line-end"),
    ROW(REPLY_CONTROL_OCTET, 500, "5.5.2", "Control octet in a command", "control-octet"),
    END(REPLY_NOT_TEXT, 500, "5.5.2", "That is not SMTP", "not-smtp"),
    ROW(REPLY_NO_ARGUMENT_ALLOWED, 501, "5.5.4", "This command takes no argument", "syntax"),
    ROW(REPLY_ARGUMENT_MISSING, 501, "5.5.4", "This command needs an argument", "syntax"),
    [REPLY_HELO_NAME] = {REFUSAL_HELO_NAME, false},
    [REPLY_SYNTAX] = {REFUSAL_SYNTAX, false},
    [REPLY_SENDER_SYNTAX] = {REFUSAL_SENDER_SYNTAX, false},
    [REPLY_RECIPIENT_SYNTAX] = {REFUSAL_RECIPIENT_SYNTAX, false},
    ROW(REPLY_SENDER_UTF8, 553, "5.6.7",
	"An address that is not ASCII needs the parameter SMTPUTF8 of MAIL", "smtputf8"),
    ROW(REPLY_RECIPIENT_UTF8, 553, "5.6.7",
	"An address that is not ASCII needs the parameter SMTPUTF8 of MAIL or VRFY",
	"smtputf8"),
    ROW(REPLY_PARAMETER_SYNTAX, 501, "5.5.4", "Bad parameter:", "parameter-syntax"),
    END(REPLY_CHUNK_SIZE, 501, "5.5.4", "Syntax: BDAT size [LAST]", "chunk-size"),
    END(REPLY_CHUNK_TOO_BIG, 552, "5.3.4", "The chunk is larger than any message may be",
	"message-size-limit"),
    ROW(REPLY_CHUNK_BARE, 550, "5.5.2", "Bare CR or LF in the message", "bare-line-end"),
    ROW(REPLY_XCLIENT, 550, "5.7.0", "XCLIENT is for proxies that are configured here",
	"xclient-from"),
    ROW(REPLY_CHUNKED, 503, "5.5.1", "The message comes by BDAT: finish it, or say RSET",
	"sequence"),
    ROW(REPLY_LOGGED_IN, 235, "2.7.0", "Logged in", NULL),
    ROW(REPLY_LOGIN_SYNTAX, 501, "5.5.4", "Syntax: AUTH mechanism [response]", "syntax"),
    ROW(REPLY_LOGIN_CODING, 501, "5.5.2", "Not base64, or not what the mechanism says",
	"auth-syntax"),
    ROW(REPLY_LOGIN_CANCELLED, 501, "5.7.0", "Login cancelled", "auth-cancelled"),
    ROW(REPLY_LOGIN_ALREADY, 503, "5.5.1", "You are logged in", "sequence"),
    ROW(REPLY_LOGIN_MECHANISM, 504, "5.5.4", "No such mechanism here", "auth-mechanism"),
    ROW(REPLY_LOGIN_TLS, 538, "5.7.11", "Say STARTTLS first", "auth-needs-tls"),
    [REPLY_LOGIN_FAILED] = {REFUSAL_LOGIN, false},
    ROW(REPLY_NOT_OFFERED, 502, "5.5.1", "Not offered here", "not-offered"),
    ROW(REPLY_HELLO_FIRST, 503, "5.5.1", "Say EHLO or HELO first", "sequence"),
    ROW(REPLY_MAIL_FIRST, 503, "5.5.1", "Say MAIL first", "sequence"),
    ROW(REPLY_RECIPIENT_FIRST, 503, "5.5.1", "Say RCPT first", "sequence"),
    ROW(REPLY_NESTED, 503, "5.5.1", "A transaction is under way", "sequence"),
    ROW(REPLY_TLS_ALREADY, 503, "5.5.1", "TLS is in use already", "sequence"),
    ROW(REPLY_ONLY_QUIT, 503, "5.5.1", "No service for this client, say QUIT", "sequence"),
    END(REPLY_EARLY_INPUT, 503, "5.5.1", "Input came before the reply to DATA", "early-input"),
    END(REPLY_EARLY_CLEAR, 554, "5.5.1", "Input came before TLS", "early-input"),
    END(REPLY_EARLY_TALKER, 554, "5.5.1", "Input came before the greeting", "early-talker"),
    END(REPLY_FOREIGN, 554, "5.5.1", "This is an SMTP server", "not-smtp"),
    ROW(REPLY_NO_RECIPIENTS, 554, "5.5.1", "No valid recipients", "no-recipients"),
    ROW(REPLY_RELEASE_TOO_LATE, 501, "5.5.4",
	"The release is later than mail is kept here; seconds at most:", "future-release"),
    ROW(REPLY_PARAMETER_UNKNOWN, 555, "5.5.4", "Parameter not offered:", "parameter-unknown"),
    ROW(REPLY_TOO_BIG, 552, "5.3.4", "The message is larger than the limit of",
	"message-size-limit"),
    END(REPLY_BARE_LINE_END, 550, "5.5.2", "Bare CR or LF in the message", "bare-line-end"),
    ROW(REPLY_TOO_MANY_HOPS, 554, "5.4.6", "Too many Received fields, a mail loop?",
	"hop-limit"),
    ROW(REPLY_DELIVERED_BEFORE, 554, "5.4.6",
	"A mail loop: its header says that it was delivered to its recipient before",
	"delivered-before"),
};

const struct smtp_reply *
smtp_reply_find(enum smtp_reply_id id)
{
	return &catalogue[id];
}

/* Octets at the beginning that a reply may hold as they are. */
static size_t
plain_length(struct span text)
{
	size_t n = 0;

	while (n < text.len && text.p[n] >= 0x20 && text.p[n] <= 0x7e)
		n++;
	return n;
}

void
smtp_reply_escape(struct buf *out, struct span text, size_t room)
{
	static const char hex[] = "0123456789abcdef";

	while (text.len > 0) {
		size_t n = plain_length(text);

		if (n > 0) {
			n = n < room ? n : room;
			buf_add(out, text.p, n);
			room -= n;
			text = span_skip(text, n);
		} else {
			unsigned char c = (unsigned char)text.p[0];

			if (room < 4)
				return;
			buf_add(out, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
			room -= 4;
			text = span_skip(text, 1);
		}
		if (room == 0)
			return;
	}
}

/* One line: code, status if there is one, text and, after a space, detail. */
static void
add_line(struct buf *out, int code, const char *status, struct span text, struct span detail)
{
	size_t start = out->len, limit = REPLY_LINE_MAX - 2;

	decimal_add(out, (uint64_t)code);
	buf_add_char(out, ' ');
	if (status != NULL) {
		buf_add_str(out, status);
		buf_add_char(out, ' ');
	}
	smtp_reply_escape(out, text, limit - (out->len - start));
	if (detail.len > 0 && out->len - start < limit) {
		buf_add_char(out, ' ');
		smtp_reply_escape(out, detail, limit - (out->len - start));
	}
	buf_add(out, "\r\n", 2);
}

void
smtp_reply_format(struct buf *out, const struct smtp_reply *r, struct span detail)
{
	add_line(out, r->code, r->status, span_str(r->text), detail);
}

int
smtp_reply_format_verdict(struct buf *out, const struct verdict *v)
{
	static const struct {
		int class, code;
		const char *status;
	} fallback[] = {
	    [VERDICT_TEMPORARY] = {4, 451, "4.3.0"},
	    [VERDICT_OK] = {2, 250, "2.0.0"},
	    [VERDICT_PERMANENT] = {5, 550, "5.7.1"},
	};
	int class = fallback[v->kind].class;
	int code = v->code / 100 == class ? v->code : fallback[v->kind].code;
	const char *status = v->status;

	if (!verdict_status_valid(span_str(status)) || status[0] - '0' != class)
		status = fallback[v->kind].status;
	add_line(out, code, status, span_str(v->text), (struct span){NULL, 0});
	return code;
}
