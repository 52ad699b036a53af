/*
 * keys_signer: gets signatures from the process `keys` over a connection of its
 * own, waiting for each. It belongs to the thread of the handshakes; the event
 * loop never calls it.
 */
#ifndef SMTPD_KEYS_SIGNER_H
#define SMTPD_KEYS_SIGNER_H

#include "smtpd/tls_provider.h"

struct keys_signer;

/* path is that of keys' socket (copied). Connects when it is needed, and again if the connection is lost. */
struct keys_signer *keys_signer_new(const char *path);
void keys_signer_free(struct keys_signer **s);

/* As tls_sign_fn. Waits for KEYS_SIGNER_WAIT_SEC at most for each step. */
#define KEYS_SIGNER_WAIT_SEC 3
int keys_signer_sign(struct keys_signer *s, const struct tls_sign *what,
    unsigned char out[TLS_SIGN_MAX], size_t *len) __attribute__((warn_unused_result));

#endif
