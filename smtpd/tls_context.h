/*
 * tls_context: how TLS is spoken with clients, whatever their session is about:
 * versions, suites, what is refused (RFC 8996, RFC 9325; renegotiation,
 * compression, early data, other protocols by ALPN), client certificates. Used by
 * tls; the callbacks run on the handshakes' thread.
 */
#ifndef SMTPD_TLS_CONTEXT_H
#define SMTPD_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "common/limits.h"
#include "common/span.h"
#include "smtpd/tls_identity.h"
#include "smtpd/tls_tickets.h"

/* What a handshake has to know and say before its ClientHello is answered: SSL_set_app_data of each SSL. */
struct tls_hello {
	bool heard; /* a ClientHello is there, and name is what it gives */
	char name[DOMAIN_MAX +
		  1]; /* SNI (RFC 6066 3), canonical; "" if there is none, or it is none */
	const struct tls_identity *identity; /* the answer; NULL: the handshake waits for it */
};

/* What the administrator may say about it. */
struct tls_rules {
	bool ask_clients;	  /* for a certificate */
	struct span client_ca;	  /* PEM of the CAs they are to come from; may be empty */
	bool only_13;		  /* TLS 1.2 is refused */
	const char *ciphers;	  /* of TLS 1.2, as OpenSSL has them; NULL: ours */
	const char *ciphersuites; /* of TLS 1.3; NULL: OpenSSL's */
};

/*
 * rules are not kept. tickets must outlive it. NULL with *why if a certificate or cipher cannot be understood.
 * SSL_CTX_free by the caller.
 */
SSL_CTX *tls_context_new(struct tls_provider *p, struct tls_tickets *tickets,
    const struct tls_rules *rules, struct buf *why);

/*
 * A server's end of a connection. role is what session tickets are good for: those of another are
 * not taken. hello must live until the handshake is over. NULL if memory is out.
 */
SSL *tls_context_connection(SSL_CTX *ctx, int fd, const char *role, struct tls_hello *hello);

#endif
