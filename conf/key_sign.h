/*
 * key_sign: the signature with which a server proves in a TLS handshake that the
 * certificate is its own. Used by the process `keys` on behalf of smtpd, which
 * never sees the key; and therefore nothing but a handshake is signed: whoever
 * takes over an smtpd can pose as this host while it lasts, and take nothing away.
 */
#ifndef CONF_KEY_SIGN_H
#define CONF_KEY_SIGN_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/span.h"

/* Room for a signature by any key of key_pair.h. */
#define KEY_SIGN_MAX 512

/*
 * Is this what a server signs: the content of CertificateVerify in TLS 1.3 (RFC 8446 4.4.3), or
 * randoms and ECDHE parameters of ServerKeyExchange in TLS 1.2 (RFC 8422 5.4)?
 */
bool key_sign_is_handshake(struct span message);

/*
 * Signs. digest: "SHA256", "SHA384", "SHA512", or "" for Ed25519, which has its own; pss: RSASSA-PSS
 * with a salt as long as the digest (else PKCS #1 v1.5). *len is KEY_SIGN_MAX at most. -1: the message
 * is no handshake, or key, digest and padding do not fit each other.
 */
int key_sign(EVP_PKEY *key, struct span digest, bool pss, struct span message,
    unsigned char out[KEY_SIGN_MAX], size_t *len) __attribute__((warn_unused_result));

#endif
