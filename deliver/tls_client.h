/*
 * tls_client: how remote does TLS with strangers: opportunistically (RFC 7435),
 * at least version 1.2, without renegotiation. No name is checked: whoever could
 * forge it could as well take STARTTLS out of the greeting.
 */
#ifndef DELIVER_TLS_CLIENT_H
#define DELIVER_TLS_CLIENT_H

#include <openssl/ssl.h>

/* Reads no file, now or later. NULL (said in the log) if OpenSSL refuses. Free with SSL_CTX_free. */
SSL_CTX *tls_client_new(void);

#endif
