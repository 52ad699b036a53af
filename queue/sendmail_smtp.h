/*
 * sendmail_smtp: one end of an SMTP connection over the submit socket, blocking,
 * with a time-out for every wait: sends commands, reads replies. What is said is
 * the business of sendmail_submit.
 */
#ifndef QUEUE_SENDMAIL_SMTP_H
#define QUEUE_SENDMAIL_SMTP_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/verdict.h"

struct sendmail_smtp {
	int fd;
	bool verbose;	/* show the dialogue on standard output */
	struct buf in;	/* read and not yet looked at */
	struct buf out; /* commands not yet sent */
};

/* Takes fd. */
void sendmail_smtp_init(struct sendmail_smtp *s, int fd, bool verbose);
void sendmail_smtp_release(struct sendmail_smtp *s);

/* Queues a command line, without its CRLF. -1 if it is too long. */
int sendmail_smtp_command(struct sendmail_smtp *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Sends the queued commands. -1 and errno. */
int sendmail_smtp_flush(struct sendmail_smtp *s);

/*
 * Reads one reply, waiting at most that long for each part of it. Its lines without codes, separated by LF,
 * go to text (may be NULL). Returns its code and fills in v; -1 if the connection is lost, silent for too long or
 * talks no SMTP (RFC 5321 4.2), which v then says as a temporary verdict.
 */
int sendmail_smtp_reply(
    struct sendmail_smtp *s, unsigned seconds, struct verdict *v, struct buf *text);

#endif
