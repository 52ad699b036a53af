/*
 * transport: a connected stream socket, in clear or with TLS: what was read goes
 * to the caller's buffer, what is to be said collects until it is flushed with one
 * system call. It knows nothing of SMTP, and nobody else touches the descriptor.
 *
 * What began in clear and goes on with TLS is another transport: nothing that was
 * read or to be said before is in it. With TLS, an end that the other side has not
 * announced (close_notify, RFC 8446 6.1) is an error, and after any end, announced
 * or not, nothing is read any more: what comes in clear then is nobody's.
 *
 * With TLS a read works on no more than some 64 KiB of what has come, whatever is in it; a client that sends more of what is
 * TLS's own than anybody needs is cut off.
 *
 * Idle, it holds less than a KiB, besides what OpenSSL does.
 */
#ifndef SMTPD_TRANSPORT_H
#define SMTPD_TRANSPORT_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/buf.h"

struct transport_ops {
	void (*on_readable)(void *arg);
	/* The kernel takes octets again, after transport_flush returned TRANSPORT_LEFT. */
	void (*on_writable)(void *arg);
};

struct transport {
	struct event_base *base;
	struct event *readable;
	struct event *writable; /* NULL until the kernel was full once */
	const struct transport_ops *ops;
	void *arg;
	int fd;
	SSL *ssl;	   /* NULL: in clear */
	unsigned reads;	   /* of the socket, that OpenSSL may still do in this turn */
	unsigned messages; /* of TLS itself, that came in this turn */
	bool flooded;	   /* by those: OpenSSL reads nothing any more */
	bool reading;
	bool ended;	/* ssl is of no use any more */
	bool last;	/* transport_set_last */
	size_t sent;	/* octets at the beginning of out that have left */
	struct buf out; /* append to it what is to be said */
};

enum transport_result {
	TRANSPORT_ALL,	/* everything has left */
	TRANSPORT_LEFT, /* the kernel is full: on_writable follows */
	TRANSPORT_GONE, /* the other side is gone */
};

/*
 * Takes the descriptor, which does not block, and ssl (NULL: in clear), whose handshake is done. Reads as soon
 * as the loop runs. ops must outlive it.
 */
void transport_init(struct transport *t, struct event_base *base, int fd, SSL *ssl,
    const struct transport_ops *ops, void *arg);

/* Was it initialised, and not released or taken from? */
bool transport_is_open(const struct transport *t);

/* Closes the descriptor (with close_notify, if all has left) and drops what was not sent. Fine if it is not open. */
void transport_release(struct transport *t);

/* Releases it without closing: the descriptor, which is the caller's. In clear only. */
int transport_take(struct transport *t);

/*
 * Octets read, 0 at the end of the stream, -1 with errno (EAGAIN: nothing there now). With TLS n is
 * TRANSPORT_READ_MIN or more.
 */
#define TRANSPORT_READ_MIN 16384
ssize_t transport_read(struct transport *t, void *p, size_t n);

/* Sends what has been appended to out. */
enum transport_result transport_flush(struct transport *t) __attribute__((warn_unused_result));

/*
 * What is flushed from now on is the last: in clear over TCP it waits for transport_release and leaves with the end of the
 * stream, in one packet instead of two. The caller releases it as soon as all is flushed.
 */
void transport_set_last(struct transport *t);

/* Octets appended and not yet taken by the kernel. */
size_t transport_backlog(const struct transport *t);

/* on_readable is called while reading is on. Turning it on when it is costs nothing. */
void transport_set_reading(struct transport *t, bool on);

/* Has something (or the end) arrived that was not read yet? */
bool transport_input_waiting(struct transport *t);

/* Says that nothing more will be sent. */
void transport_end(struct transport *t);

#endif
