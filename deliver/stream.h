/*
 * stream: a TCP connection as octets in and out, in clear or through TLS, on one
 * libevent loop. It writes at once what the kernel takes, so that a command and
 * its reply cost one write and one read. Used by smtp_client.c.
 *
 * After start_tls nothing of what came in clear is ever read: octets that wait at
 * that moment are an attack (RFC 3207 5; CVE-2011-0411 and its kin).
 */
#ifndef DELIVER_STREAM_H
#define DELIVER_STREAM_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "common/buf.h"
#include "common/netaddr.h"

/* Octets that may wait for being read, and for being sent. */
#define STREAM_IN_MAX	(64U << 10)
#define STREAM_OUT_MAX	(1U << 20)
#define STREAM_OUT_WANT (64U << 10) /* on_drained asks for more below this */

struct stream;

struct stream_ops {
	void (*on_connected)(struct stream *s, void *arg);
	/* Octets wait in stream_in; what is not dropped from it stays. */
	void (*on_readable)(struct stream *s, void *arg);
	/* Less than STREAM_OUT_WANT octets wait for being sent: called from the loop after stream_write had to wait. */
	void (*on_drained)(struct stream *s, void *arg);
	/* The handshake succeeded. */
	void (*on_secure)(struct stream *s, void *arg);
	/*
	 * The stream is over; why is a text for people. What came before the end is still in
	 * stream_in. No callback follows.
	 */
	void (*on_closed)(struct stream *s, const char *why, void *arg);
};

/* Takes a connected non-blocking socket. ops must outlive it. on_connected is not called. */
struct stream *stream_new(
    struct event_base *base, int fd, const struct stream_ops *ops, void *arg);

/*
 * Connects. NULL with errno if it cannot even be begun; else on_connected or
 * on_closed follows from the loop.
 */
struct stream *stream_connect(
    struct event_base *base, const struct netaddr *to, const struct stream_ops *ops, void *arg);

/* Closes (with close_notify if it is secure and its output is empty). May be called in a callback. Clears *s. */
void stream_free(struct stream **s);

/* What came in and was not dropped yet; drop with buf_drop. */
struct buf *stream_in(struct stream *s);

/* Room for STREAM_OUT_MAX octets in all: append with buf_add and the like, then call stream_push. */
struct buf *stream_out(struct stream *s);

/* Sends what is in stream_out as far as it goes now; the rest leaves from the loop. */
void stream_push(struct stream *s);

/* Octets waiting for being sent. */
size_t stream_backlog(const struct stream *s);

/*
 * Takes ssl and begins the client's handshake: on_secure or on_closed follows from the loop. -1 if the
 * server has said something already, which nobody may do here: the stream is of no use any more.
 */
int stream_start_tls(struct stream *s, SSL *ssl);
bool stream_is_secure(const struct stream *s);

#endif
