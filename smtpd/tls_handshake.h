/*
 * tls_handshake: one handshake with a client: from a connected socket to an SSL
 * that speaks. What is computed is computed on the thread of struct tls, a step at a
 * time, as octets arrive; in between, and while the certificate for the client's
 * name is asked for, the handshake is an event and some memory.
 *
 * It has no clock of its own: whoever waits for it gives it up.
 */
#ifndef SMTPD_TLS_HANDSHAKE_H
#define SMTPD_TLS_HANDSHAKE_H

#include "conf/config.h"
#include "smtpd/tls.h"
#include "smtpd/tls_info.h"

struct tls_handshake;

/* How it ended. */
struct tls_result {
	SSL *ssl; /* NULL: it failed; else the callee's from now on, as are fd and info */
	int fd;	  /* closed if it failed */
	struct tls_info *info;
	const char *why; /* it failed: a text for people */
};

/* Called once, from the loop, and never before tls_handshake_new has returned; the handshake is no more then. */
typedef void tls_handshake_fn(const struct tls_result *r, void *arg);

/* Takes the descriptor, which does not block. role is that of the listener. t is configured. */
struct tls_handshake *tls_handshake_new(
    struct tls *t, int fd, enum listener_role role, tls_handshake_fn *done, void *arg);

/* Gives it up: done will not be called, the descriptor is closed. Clears *h; NULL is fine. */
void tls_handshake_free(struct tls_handshake **h);

/* The timer of struct tls (arg) while handshakes wait for their turn: makes room. */
void tls_handshake_on_pressure(evutil_socket_t fd, short what, void *arg);

#endif
