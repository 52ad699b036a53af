/* key_sign: a server's signature in a TLS handshake. See key_sign.h. */
#include "conf/key_sign.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#define CONTEXT	     "TLS 1.3, server CertificateVerify"
#define PADDING	     64 /* spaces before the context */
#define RANDOMS	     64 /* client's and server's */
#define CURVE_HEADER 4	/* named_curve, its number, length of the point */
#define NAMED_CURVE  3

static bool
is_certificate_verify(struct span m)
{
	size_t head = PADDING + sizeof CONTEXT; /* its NUL separates it from the hash */
	size_t hash = m.len > head ? m.len - head : 0;

	for (size_t i = 0; i < PADDING && i < m.len; i++)
		if (m.p[i] != ' ')
			return false;
	return (hash == 32 || hash == 48) &&
	       memcmp(m.p + PADDING, CONTEXT, sizeof CONTEXT) == 0;
}

static bool
is_server_key_exchange(struct span m)
{
	size_t head = RANDOMS + CURVE_HEADER;

	return m.len > head && m.p[RANDOMS] == NAMED_CURVE &&
	       m.len - head == (unsigned char)m.p[head - 1];
}

bool
key_sign_is_handshake(struct span message)
{
	return is_certificate_verify(message) || is_server_key_exchange(message);
}

/* The name of a digest that may be used with this key; NULL with *ok if the key has its own. */
static const char *
digest_name(EVP_PKEY *key, struct span digest, bool *ok)
{
	static const char *const names[] = {"SHA256", "SHA384", "SHA512"};
	int i = span_among(digest, names, sizeof names / sizeof *names);

	if (EVP_PKEY_is_a(key, "ED25519")) {
		*ok = digest.len == 0;
		return NULL;
	}
	*ok = i >= 0;
	return *ok ? names[i] : NULL;
}

int
key_sign(EVP_PKEY *key, struct span digest, bool pss, struct span message,
    unsigned char out[KEY_SIGN_MAX], size_t *len)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *k = NULL;
	bool ok;
	const char *name = digest_name(key, digest, &ok);

	*len = KEY_SIGN_MAX;
	ok = ok && c != NULL && key_sign_is_handshake(message) &&
	     (!pss || EVP_PKEY_is_a(key, "RSA")) &&
	     EVP_DigestSignInit_ex(c, &k, name, NULL, NULL, key, NULL) == 1;
	if (ok && pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(k, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(k, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok &&
	     EVP_DigestSign(c, out, len, (const unsigned char *)message.p, message.len) == 1;
	EVP_MD_CTX_free(c);
	ERR_clear_error();
	return ok ? 0 : -1;
}
