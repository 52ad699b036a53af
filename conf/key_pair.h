/*
 * key_pair: a TLS certificate with those that lead from it to a root, and the
 * private key it is for, out of the PEM files people keep them in. Used by the
 * process `keys`, which holds them, and by `postrider check`, which wants to know
 * before anything depends on it. Pure.
 */
#ifndef CONF_KEY_PAIR_H
#define CONF_KEY_PAIR_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"

/* Certificates in a file: the host's own and the chain. */
#define KEY_PAIR_CERTIFICATES_MAX 10

/* Octets of a file: ten certificates of the largest keys that are taken. */
#define KEY_PAIR_FILE_MAX (64U << 10)

#define KEY_PAIR_ID_SIZE 33

/* Of what is shown for one name: the id of a pair, or those of two with a space between. */
#define KEY_PAIR_IDS_SIZE (2 * KEY_PAIR_ID_SIZE)

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

/* "RSA", "EC" or "ED25519". */
const char *key_pair_kind(const struct key_pair *p);

/* Are their keys of one kind? Then a client that cannot use the one cannot use the other, either. */
bool key_pair_same_kind(const struct key_pair *a, const struct key_pair *b);

/* What is said of a second pair that is no use beside the first: its kind, the path of the first certificate. */
#define KEY_PAIR_SAME_KIND                                                                     \
	"its key is of the kind %s, as that of %s: expected one of each kind, or it is not "   \
	"used"

/* What time makes of a certificate. */
enum key_pair_term {
	KEY_PAIR_VALID,
	KEY_PAIR_ENDS_SOON, /* valid, for no more than KEY_PAIR_SOON_DAYS */
	KEY_PAIR_ENDED,
	KEY_PAIR_NOT_YET,
};

#define KEY_PAIR_SOON_DAYS 14

/*
 * The term of the certificate, at this time (seconds since 1970); but for VALID text tells it to people,
 * with the date and how long that is: "the certificate has expired 3 days ago, on 2026-11-19T08:00:00Z".
 */
#define KEY_PAIR_TERM_SIZE 128
enum key_pair_term key_pair_term(
    const struct key_pair *p, int64_t now, char text[KEY_PAIR_TERM_SIZE]);

/* May it be used at this time? begins (NULL: nobody wants to know) gets when its term begins. */
bool key_pair_is_timely(const struct key_pair *p, int64_t now, int64_t *begins);

/* Appends certificate and chain as PEM. -1 if out has no room. */
int key_pair_format(const struct key_pair *p, struct buf *out);

#endif
