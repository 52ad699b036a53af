/*
 * tls_tickets: seals and opens TLS session tickets (RFC 5077, RFC 8446 4.6.1)
 * with keys that all workers share (conf/ticket_keys.h). Keys are set by the
 * loop's thread and used by that of the handshakes.
 */
#ifndef SMTPD_TLS_TICKETS_H
#define SMTPD_TLS_TICKETS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "common/span.h"

struct tls_tickets;

struct tls_tickets *tls_tickets_new(void);

/* Wipes the keys. */
void tls_tickets_free(struct tls_tickets **t);

/* Takes TICKET_KEYS_SIZE octets; others are ignored. */
void tls_tickets_set(struct tls_tickets *t, struct span keys);

/* Are there keys? Without them nobody may be promised a ticket. */
bool tls_tickets_are_there(struct tls_tickets *t);

/* Makes ctx use them; t must outlive it. */
void tls_tickets_attach(struct tls_tickets *t, SSL_CTX *ctx);

/* No ticket for this connection, from now on. */
void tls_tickets_forbid(SSL *ssl);

#endif
