/*
 * smtp_client_internal: what smtp_client.c (the connection), smtp_greeting.c (until
 * it is ready) and smtp_transaction.c (the mail on it) share. For these files only.
 */
#ifndef DELIVER_SMTP_CLIENT_INTERNAL_H
#define DELIVER_SMTP_CLIENT_INTERNAL_H

#include "common/lineend.h"
#include "deliver/reply.h"
#include "deliver/smtp_client.h"
#include "deliver/smtp_limits.h"
#include "deliver/stream.h"

enum smtp_state {
	SMTP_CONNECTING, /* until the kernel says so */
	SMTP_GREETING,	 /* the greeting is awaited */
	SMTP_EHLO,	 /* EHLO was sent */
	SMTP_HELO,	 /* HELO was sent: the server knows no EHLO */
	SMTP_STARTTLS,	 /* STARTTLS was sent */
	SMTP_HANDSHAKE,	 /* TLS begins */
	SMTP_IDLE,	 /* ready for a transaction */
	SMTP_ENVELOPE,	 /* MAIL, RCPT, DATA: some sent, some answered */
	SMTP_CONTENT,	 /* 354 came, content is being sent */
	SMTP_FINAL,	 /* the dot was sent */
	SMTP_EMPTY,	 /* 354 came though every recipient was refused: a lone dot was sent */
	SMTP_RSET,	 /* RSET was sent */
	SMTP_OVER,	 /* on_closed was called */
};

/* The part of a transaction that is one for the server: see smtp_slices.c. */
struct smtp_slices {
	size_t *who, nwho; /* recipients the server is asked about */
	size_t first, n;   /* those of this one */
	bool utf8;	   /* its MAIL says SMTPUTF8 */
};

struct smtp_client {
	struct event_base *base;
	struct stream *stream;
	struct event *timer, *later;
	struct smtp_options options;
	const struct smtp_client_ops *ops;
	void *arg;
	enum smtp_state state;
	int depth;   /* callbacks under way */
	bool doomed; /* freed in one of them */
	char peer[NETADDR_TEXT_SIZE];
	struct reply reply;
	unsigned count;
	uint32_t mails; /* MAIL commands sent */

	/* what EHLO said */
	bool pipelining, eight_bit, utf8, starttls, size, limited, dsn;
	uint64_t size_limit; /* if limited */
	struct smtp_limits limits;

	/* the transaction under way */
	struct smtp_transaction *t;
	struct smtp_slices slice;
	size_t sent, answered; /* commands of the slice: 0 MAIL, 1 to n RCPT, n + 1 DATA */
	size_t naccepted;
	bool said;	/* the server has answered something */
	bool refused;	/* MAIL was refused */
	bool elsewhere; /* for now only: another host may do better */
	uint64_t at;	/* octets of content read */
	struct wire_end wire;

	/* what `later` is to do */
	bool decided_here;  /* the transaction ended without a word to the server */
	struct verdict end; /* else: why the connection will be closed */
	enum smtp_stage end_stage;
};

/* Changes the state and sets the time-out that belongs to it. */
void smtp_client_set_state(struct smtp_client *c, enum smtp_state state);

/* Gives the reply under way as much time as a new one. */
void smtp_client_extend(struct smtp_client *c);

/* Ends the connection (now: from the loop): what it takes with it becomes temporary. */
void smtp_client_fail(struct smtp_client *c, enum smtp_stage stage, const struct verdict *v);

/* The server does not speak SMTP. */
void smtp_client_protocol_error(struct smtp_client *c, const char *command);

/* Back to idle; tells the owner. */
void smtp_client_ready(struct smtp_client *c);

/* How far the connection has come. */
enum smtp_stage smtp_client_stage(const struct smtp_client *c);

/* The greeting's side: a reply to it; TLS is there; the reply at hand ends the attempt at this host. */
void smtp_greeting_on_reply(struct smtp_client *c);
void smtp_greeting_on_secure(struct smtp_client *c);
void smtp_greeting_refused(struct smtp_client *c);

/* The transaction's side: a reply to it; more room for content; its end with the connection. */
void smtp_transaction_on_reply(struct smtp_client *c);
void smtp_transaction_on_drained(struct smtp_client *c);
void smtp_transaction_end(struct smtp_client *c, enum smtp_outcome outcome);
void smtp_transaction_break(struct smtp_client *c, const struct verdict *v);

/* The recipients that are undecided, as slices; none has begun. And nothing of it any more. */
void smtp_slices_init(struct smtp_client *c);
void smtp_slices_release(struct smtp_client *c);

/* The next slice; false if nobody is left. */
bool smtp_slices_begin(struct smtp_client *c);

/* Recipient i of the slice. */
struct smtp_recipient *smtp_slices_at(struct smtp_client *c, size_t i);

/* Is somebody behind the slice undecided? */
bool smtp_slices_more(const struct smtp_client *c);

/* Recipients with UTF-8 in their address, at a server that takes none. */
void smtp_slices_refuse_utf8(struct smtp_client *c);

#endif
