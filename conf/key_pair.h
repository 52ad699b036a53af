/*
 * key_pair: a TLS certificate with those that lead from it to a root, and the
 * private key it is for, out of the PEM files people keep them in. Used by the
 * process `keys`, which holds them, and by `postrider check`, which wants to know
 * before anything depends on it. Pure but for the clock.
 */
#ifndef CONF_KEY_PAIR_H
#define CONF_KEY_PAIR_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "common/buf.h"
#include "common/span.h"

/* Certificates in a file: the host's own and the chain. */
#define KEY_PAIR_CERTIFICATES_MAX 10

/* Octets of a file: ten certificates of the largest keys that are taken. */
#define KEY_PAIR_FILE_MAX (64U << 10)

#define KEY_PAIR_ID_SIZE 33

struct key_pair {
	X509 *leaf;
	STACK_OF(X509) * chain; /* what follows it in the file, may be empty */
	EVP_PKEY *key;
	/* SHA-256 of all certificates, 128 bits as hex digits: one pair is one id. */
	char id[KEY_PAIR_ID_SIZE];
};

enum key_pair_file {
	KEY_PAIR_CERTIFICATE,
	KEY_PAIR_KEY,
};

/*
 * Takes RSA keys of 2048 to 4096 bits, EC keys on P-256, P-384 and P-521, and Ed25519: what
 * clients understand, and no key so large that using it is an attack of its own. 0; or -1 with
 * *file saying which of the two is wrong, *why telling what was expected, and *p released.
 */
int key_pair_parse(struct span certificate, struct span key, struct key_pair *p,
    enum key_pair_file *file, struct buf *why) __attribute__((warn_unused_result));

/* The certificate and its chain alone, as above: *p has no key. */
int key_pair_parse_certificate(struct span certificate, struct key_pair *p, struct buf *why)
    __attribute__((warn_unused_result));

/* Frees what it holds; it may be zeroed or released already. */
void key_pair_release(struct key_pair *p);

/* Is the certificate one for this host name (RFC 6125: DNS names of the certificate, wildcards included)? */
bool key_pair_covers(const struct key_pair *p, struct span name);

/* Is it one for this domain, or for any name below it? */
bool key_pair_is_of(const struct key_pair *p, struct span domain);

/* Has the certificate run out, or is it not valid yet? A text for people, or NULL: it is valid now. */
const char *key_pair_expiry(const struct key_pair *p);

/* Appends certificate and chain as PEM. -1 if out has no room. */
int key_pair_format(const struct key_pair *p, struct buf *out);

#endif
