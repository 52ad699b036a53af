/*
 * smtp_client: the client's side of one SMTP connection (RFC 5321) with
 * PIPELINING (2920), 8BITMIME (6152), SIZE (1870), SMTPUTF8 (6531), DSN (3461), LIMITS (9422) and
 * STARTTLS (3207).
 * It knows no queue, no DNS and no configuration: it gets a stream and options, sends
 * transactions one after another, and says what became of each recipient.
 *
 * A recipient counts as delivered only when the server said 2xx to it and to the
 * final dot. Whatever the connection dies of before that is temporary, for those
 * whom the server has not refused by then.
 */
#ifndef DELIVER_SMTP_CLIENT_H
#define DELIVER_SMTP_CLIENT_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/netaddr.h"
#include "common/span.h"
#include "common/verdict.h"

struct smtp_options {
	const char *helo; /* our name; borrowed for the connection's life */
	SSL_CTX *tls;	  /* NULL: never STARTTLS. Borrowed. */
	const char *sni;  /* name for the handshake, NULL for none. Borrowed until connected. */
	unsigned connect_timeout_ms;
	unsigned reply_timeout_ms; /* greeting, each reply, each stretch of content */
	unsigned
	    final_timeout_ms; /* the reply to the final dot (RFC 5321 4.5.3.2.6: 10 minutes) */
};

struct smtp_recipient {
	const char *address;	    /* as it goes between < and > */
	const char *notify, *orcpt; /* values for a server with DSN; NULL or empty: none */
	struct verdict verdict;
	bool decided;
	bool accepted; /* 2xx to RCPT: shares the fate of the content */
};

/* One message. The caller keeps it, and what it points to, alive until on_done. */
struct smtp_transaction {
	const char *from;	 /* "" for the null reverse-path */
	const char *envid, *ret; /* values for a server with DSN; NULL or empty: none */
	bool eight_bit;		 /* the content is not 7-bit */
	bool utf8;	 /* needs SMTPUTF8, whoever the recipient: its sender, or the header */
	bool utf8_given; /* came with SMTPUTF8: goes on with it where it can */
	uint64_t size;	 /* octets of content with LF line ends */
	uint64_t wire_size; /* with CRLF, for SIZE=, as near as is known */
	/* As job_read: octets copied, 0 at the end, -1 with errno. */
	ssize_t (*read)(void *content, uint64_t at, void *out, size_t n);
	void *content;
	struct smtp_recipient *recipients;
	size_t nrecipients;
	bool
	    dsn; /* set when it is sent: the server offers DSN, and sends the reports that are asked for */
};

/* How far things had come when they went wrong: what may be tried elsewhere. */
enum smtp_stage {
	SMTP_STAGE_CONNECT,	/* connecting, greeting, EHLO */
	SMTP_STAGE_TLS,		/* STARTTLS was agreed, the handshake failed: clear may work */
	SMTP_STAGE_TRANSACTION, /* within a transaction (or between two) */
};

/* How a transaction ended. Every recipient has a verdict in each case but PARTIAL. */
enum smtp_outcome {
	SMTP_DONE, /* the server has spoken about each */
	SMTP_REFUSED, /* it refused the sender for now (4xx to the first MAIL): another host may do better */
	SMTP_STALE,  /* the connection ended before it said anything: nothing was tried yet */
	SMTP_BROKEN, /* the connection ended half-way: the undecided are temporary */
	SMTP_PARTIAL, /* some are decided; the server takes no more on this connection: the others go by another */
};

struct smtp_client;

struct smtp_client_ops {
	/* Greeted, or done with a transaction and usable: smtp_client_send may be called. */
	void (*on_ready)(struct smtp_client *c, void *arg);
	/* The transaction is over and forgotten here; on_ready or on_closed follows. */
	void (*on_done)(struct smtp_client *c, struct smtp_transaction *t,
	    enum smtp_outcome outcome, void *arg);
	/* The connection is over: free it. v is temporary, but for a server that says it never takes mail. */
	void (*on_closed)(
	    struct smtp_client *c, enum smtp_stage stage, const struct verdict *v, void *arg);
};

/* Connects and greets. Never NULL: what fails at once is told from the loop. */
struct smtp_client *smtp_client_connect(struct event_base *base, const struct netaddr *to,
    const struct smtp_options *options, const struct smtp_client_ops *ops, void *arg);

/* The same over a connected non-blocking socket, which is taken. */
struct smtp_client *smtp_client_new(struct event_base *base, int fd,
    const struct smtp_options *options, const struct smtp_client_ops *ops, void *arg);

/* Closes at once, without callbacks; a transaction under way is forgotten. May be called in a callback. */
void smtp_client_free(struct smtp_client **c);

/* Sends a message; only after on_ready. Callbacks follow from the loop. */
void smtp_client_send(struct smtp_client *c, struct smtp_transaction *t);

/* Says QUIT without waiting for the reply, and closes. Clears *c. Only while idle. */
void smtp_client_quit(struct smtp_client **c);

/* Transactions completed. */
unsigned smtp_client_count(const struct smtp_client *c);

/* Has it taken as many messages as the server allows on a connection? */
bool smtp_client_is_spent(const struct smtp_client *c);

#endif
