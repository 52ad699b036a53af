/*
 * tls_provider: OpenSSL as smtpd uses it: algorithms of its own context, which no
 * file of the system has a say in, and private keys that are elsewhere. Such a
 * key knows its public half and a function that gets a signature from whoever
 * holds the other; for OpenSSL it is a key like any other, of a provider of ours.
 * Used by smtpd/tls_identity.c and smtpd/tls_context.c.
 *
 * Invariant: nothing here ever holds a private key, so nothing can give one away.
 */
#ifndef SMTPD_TLS_PROVIDER_H
#define SMTPD_TLS_PROVIDER_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/span.h"

/* What is to be signed, and by which key: as doc/IPC.md has it. */
struct tls_sign {
	const char *id;
	const char *digest; /* "SHA256", "SHA384", "SHA512", or "" */
	bool pss;
	struct span message;
};

/* Room for any signature. */
#define TLS_SIGN_MAX 512

/* Gets a signature: *len of it. -1: there is none to be had. Runs on the thread of the handshake. */
typedef int tls_sign_fn(
    const struct tls_sign *what, unsigned char out[TLS_SIGN_MAX], size_t *len, void *arg);

struct tls_provider;

/* Ends the process if OpenSSL cannot be used. */
struct tls_provider *tls_provider_new(void);

/* After all that was made with it. */
void tls_provider_free(struct tls_provider **p);

/* For SSL_CTX_new_ex and the like. */
OSSL_LIB_CTX *tls_provider_context(struct tls_provider *p);

/*
 * The private key of a certificate, as one that is elsewhere under this id. NULL: the certificate's key
 * is of a kind that is not known here. The caller frees it; sign and arg must outlive it.
 */
EVP_PKEY *tls_provider_key(
    struct tls_provider *p, X509 *certificate, const char *id, tls_sign_fn *sign, void *arg);

#endif
