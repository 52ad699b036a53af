/*
 * certificates: keys and certificates made on the spot, as PEM text, for the tests of TLS.
 */
#ifndef TESTS_UNIT_CERTIFICATES_H
#define TESTS_UNIT_CERTIFICATES_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/span.h"

struct certificate {
	X509 *x;
	EVP_PKEY *key;
	struct buf certificate, private; /* PEM */
};

/* "RSA:2048", "EC:P-256", "ED25519". */
static inline EVP_PKEY *
certificate_key(const char *kind)
{
	const char *of = strchr(kind, ':');
	EVP_PKEY *k = strncmp(kind, "RSA", 3) == 0
			  ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", strtoul(of + 1, NULL, 10))
		      : strncmp(kind, "EC", 2) == 0
			  ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", of + 1)
			  : EVP_PKEY_Q_keygen(NULL, NULL, kind);

	if (k == NULL)
		abort();
	return k;
}

static inline void
certificate_to_pem(BIO *b, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);

	buf_init(out, 1U << 20);
	if (n <= 0 || buf_add(out, p, (size_t)n) != 0)
		abort();
	BIO_free(b);
}

static inline void
certificate_extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	if (e == NULL || X509_add_ext(x, e, -1) != 1)
		abort();
	X509_EXTENSION_free(e);
}

/* The PEM text of the certificate as it is now. */
static inline void
certificate_write(struct certificate *c)
{
	BIO *b = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(b, c->x);
	certificate_to_pem(b, &c->certificate);
}

/*
 * A name that begins with "ca." is that of an authority.
 * For these DNS names ("a.test" or "a.test,DNS:b.test"; NULL: none), the first one as CN, valid from days_from to
 * days_to; signed by issuer, or by itself.
 */
static inline void
certificate_make(struct certificate *c, const char *kind, const char *name, int days_from,
    int days_to, const struct certificate *issuer)
{
	static long serial = 1;
	BIO *b;
	char alternative[512];

	*c = (struct certificate){X509_new(), certificate_key(kind), {0}, {0}};
	X509_set_version(c->x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c->x), ++serial);
	X509_time_adj_ex(X509_getm_notBefore(c->x), days_from, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(c->x), days_to, 0, NULL);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(c->x), "CN", MBSTRING_UTF8,
	    (const unsigned char *)(name != NULL ? name : "nobody"),
	    name != NULL ? (int)strcspn(name, ",") : -1, -1, 0);
	X509_set_issuer_name(c->x, X509_get_subject_name(issuer != NULL ? issuer->x : c->x));
	X509_set_pubkey(c->x, c->key);
	if (name != NULL) {
		snprintf(alternative, sizeof alternative, "DNS:%s", name);
		certificate_extend(c->x, NID_subject_alt_name, alternative);
	}
	if (name != NULL && strncmp(name, "ca.", 3) == 0)
		certificate_extend(c->x, NID_basic_constraints, "critical,CA:TRUE");
	if (X509_sign(c->x, issuer != NULL ? issuer->key : c->key,
		strcmp(kind, "ED25519") == 0 && issuer == NULL ? NULL : EVP_sha256()) == 0)
		abort();
	certificate_write(c);
	b = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(b, c->key, NULL, NULL, 0, NULL, NULL);
	certificate_to_pem(b, &c->private);
}

static inline void
certificate_release(struct certificate *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
	buf_release(&c->certificate);
	buf_release(&c->private);
}

#endif
