/* tls_info: what a handshake has agreed on. See tls_info.h. */
#include "smtpd/tls_info.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "conf/fingerprint.h"

/* Octets of a subject that are kept. */
#define SUBJECT_MAX 200

/*
 * What a CA has let somebody call himself is a stranger's text: no octet but printable ASCII, and none that
 * would end a comment or a quoted string where it is written (a NUL in it is no end: CVE-2009-2408).
 */
static char *
subject_of(const X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *text = NULL, *out;
	long n = 0;

	if (b != NULL &&
	    X509_NAME_print_ex(b, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_get_mem_data(b, &text);
	if (n > SUBJECT_MAX)
		n = SUBJECT_MAX;
	out = xspandup(span_make(text, n > 0 ? (size_t)n : 0));
	BIO_free(b);
	for (char *p = out; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e || strchr("()<>\"\\", *p) != NULL)
			*p = '?';
	return out;
}

/* The fingerprint of DER text (which is freed). */
static char *
fingerprint_of(unsigned char *der, int len)
{
	char text[FINGERPRINT_SIZE];
	unsigned char digest[EVP_MAX_MD_SIZE];
	char *out = NULL;

	if (len > 0 && EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1)
		out = xstrdup(fingerprint_format(digest, text));
	OPENSSL_free(der);
	return out;
}

static void
take_fingerprints(struct tls_info *i, const X509 *x)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x, &der);

	i->certificate = fingerprint_of(der, len);
	der = NULL;
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	i->public_key = fingerprint_of(der, len);
}

struct tls_info *
tls_info_new(SSL *ssl, const char *name)
{
	struct tls_info *i = xcalloc(1, sizeof *i);
	const X509 *x = SSL_get0_peer_certificate(ssl);
	long verified = SSL_get_verify_result(ssl);

	i->protocol = SSL_get_version(ssl);
	i->cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl));
	i->resumed = SSL_session_reused(ssl) == 1;
	i->name = xstrdup(name);
	if (x != NULL && verified == X509_V_OK)
		i->subject = subject_of(x);
	else if (x != NULL)
		i->distrust = X509_verify_cert_error_string(verified);
	if (x != NULL)
		take_fingerprints(i, x);
	return i;
}

void
tls_info_forget_client(struct tls_info *i)
{
	free(i->subject);
	free(i->certificate);
	free(i->public_key);
	i->subject = i->certificate = i->public_key = NULL;
}

void
tls_info_free(struct tls_info **ip)
{
	struct tls_info *i = *ip;

	if (i == NULL)
		return;
	*ip = NULL;
	tls_info_forget_client(i);
	free(i->name);
	free(i);
}
