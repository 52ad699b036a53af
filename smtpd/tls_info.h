/*
 * tls_info: what a handshake has agreed on, for the log, the trace field and
 * whoever decides by it.
 */
#ifndef SMTPD_TLS_INFO_H
#define SMTPD_TLS_INFO_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct tls_info {
	const char *protocol; /* "TLSv1.3"; static, as is cipher */
	const char *cipher;   /* "TLS_AES_256_GCM_SHA384", OpenSSL's name */
	bool resumed;	      /* from a ticket */
	char *name;	      /* SNI, canonical; "" if none was given */
	/*
	 * Subject of the client's certificate, in printable ASCII (RFC 2253), if it was shown and comes from
	 * a CA of client-ca; else NULL.
	 */
	char *subject;
	/* SHA-256 of the certificate that the client has shown, believed or not, and of its public key; or NULL */
	char *certificate, *public_key;
	const char
	    *distrust; /* why a certificate that was shown is not believed; static; else NULL */
};

/* Of a handshake that has succeeded. name as above. The caller frees it. */
struct tls_info *tls_info_new(SSL *ssl, const char *name);
/* Who the client is by its certificate is not to count any more. */
void tls_info_forget_client(struct tls_info *i);
void tls_info_free(struct tls_info **i);

#endif
