/* tls_context: how TLS is spoken with clients. See tls_context.h. */
#include "smtpd/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "common/address.h"
#include "common/log.h"
#include "conf/config.h"

/*
 * Ephemeral keys in all of them, so that nothing said can be read later. CBC, with SHA-2, is for
 * Windows servers of before 2016: without it their mail would come in clear.
 */
#define SUITES_TLS12                                                                           \
	"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:"       \
	"ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256"
#define GROUPS "X25519:P-256:P-384:P-521"

/* RFC 9325 4.2 wants 2048 bits of RSA, and no SHA-1 in signatures: what OpenSSL calls level 2. */
#define SECURITY_LEVEL 2

#define CHAIN_DEPTH_MAX	 8
#define CLIENT_CHAIN_MAX (32 << 10) /* octets of a client's certificates */

/* Cuts n octets off the front as a number of that many; -1 if they are not there. */
static int
take_number(struct span *s, size_t octets, size_t *n)
{
	*n = 0;
	if (s->len < octets)
		return -1;
	for (size_t i = 0; i < octets; i++)
		*n = *n << 8 | (unsigned char)s->p[i];
	*s = span_skip(*s, octets);
	return 0;
}

/* The one host_name of a server_name extension, canonical; "" if there is none, or it is no host name. */
static void
read_server_name(struct span extension, char out[DOMAIN_MAX + 1])
{
	size_t list, type, len;

	out[0] = '\0';
	if (take_number(&extension, 2, &list) != 0 || list != extension.len ||
	    take_number(&extension, 1, &type) != 0 || type != TLSEXT_NAMETYPE_host_name ||
	    take_number(&extension, 2, &len) != 0 || len != extension.len)
		return;
	if (domain_canonical(extension, false, out, &len, NULL) != 0)
		out[0] = '\0';
}

/* Before anything is answered: the name, and then, when it is called again, the certificate for it. */
static int
on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_hello *h = SSL_get_app_data(ssl);
	const unsigned char *name;
	size_t len;

	(void)arg;
	if (!h->heard) {
		h->heard = true;
		if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &name, &len) == 1)
			read_server_name(span_make(name, len), h->name);
	}
	if (h->identity == NULL)
		return SSL_CLIENT_HELLO_RETRY;
	if (tls_identity_use(h->identity, ssl) == 0)
		return SSL_CLIENT_HELLO_SUCCESS;
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_CLIENT_HELLO_ERROR;
}

/*
 * RFC 7301: a client that names protocols and not ours believes to talk to another server (ALPACA,
 * CVE-2021-3618).
 */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	struct span rest = span_make(in, in_len);
	size_t len;

	(void)ssl, (void)arg;
	while (take_number(&rest, 1, &len) == 0 && len <= rest.len) {
		if (span_is(span_first(rest, len), "smtp")) {
			*out = (const unsigned char *)rest.p;
			*out_len = (unsigned char)len;
			return SSL_TLSEXT_ERR_OK;
		}
		rest = span_skip(rest, len);
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Nobody is refused for his certificate; SSL_get_verify_result tells what it is worth. */
static int
on_verify(int ok, X509_STORE_CTX *store)
{
	(void)ok, (void)store;
	return 1;
}

static int
trust_authorities(SSL_CTX *ctx, struct span ca, struct buf *why)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	BIO *in = BIO_new_mem_buf(ca.p, (int)ca.len);
	unsigned n = 0;
	X509 *x;

	while (in != NULL && (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		if (X509_STORE_add_cert(store, x) == 1)
			n++;
		X509_free(x);
	}
	BIO_free(in);
	if (n == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		buf_addf(why, "certificate %u of client-ca cannot be read", n + 1);
		ERR_clear_error();
		return -1;
	}
	ERR_clear_error();
	return 0;
}

/* Without authorities nobody's is verified; it may be known all the same. */
static int
ask_client(SSL_CTX *ctx, struct span ca, struct buf *why)
{
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH_MAX);
	SSL_CTX_set_max_cert_list(ctx, CLIENT_CHAIN_MAX);
	return ca.len > 0 ? trust_authorities(ctx, ca, why) : 0;
}

static void
set_rules(SSL_CTX *ctx)
{
	SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, SUITES_TLS12) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, GROUPS) != 1 ||
	    SSL_CTX_set_max_early_data(ctx, 0) != 1)
		fatalx("OpenSSL does not know what TLS needs");
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				     SSL_OP_CIPHER_SERVER_PREFERENCE |
				     SSL_OP_PRIORITIZE_CHACHA);
	/* An idle connection holds no record buffers; one read takes what the kernel has. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
}

/* Level and options stay, whatever the suites. */
static int
obey_rules(SSL_CTX *ctx, const struct tls_rules *r, struct buf *why)
{
	if (r->only_13 && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		fatalx("OpenSSL does not know TLS 1.3");
	if ((r->ciphers == NULL || SSL_CTX_set_cipher_list(ctx, r->ciphers) == 1) &&
	    (r->ciphersuites == NULL || SSL_CTX_set_ciphersuites(ctx, r->ciphersuites) == 1))
		return 0;
	buf_add_str(why, "OpenSSL does not know the ciphers of tls { }");
	ERR_clear_error();
	return -1;
}

SSL_CTX *
tls_context_new(struct tls_provider *p, struct tls_tickets *tickets,
    const struct tls_rules *rules, struct buf *why)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(tls_provider_context(p), NULL, TLS_server_method());

	if (ctx == NULL)
		fatalx("OpenSSL cannot speak TLS");
	set_rules(ctx);
	tls_tickets_attach(tickets, ctx);
	if (obey_rules(ctx, rules, why) != 0 ||
	    (rules->ask_clients && ask_client(ctx, rules->client_ca, why) != 0)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

SSL *
tls_context_connection(SSL_CTX *ctx, int fd, const char *role, struct tls_hello *hello)
{
	SSL *ssl = SSL_new(ctx);

	if (ssl == NULL)
		return NULL;
	SSL_set_app_data(ssl, hello);
	SSL_set_accept_state(ssl);
	/*
	 * Who is resumed is not asked for a certificate: one that counts would be lost, or be another's. So where
	 * clients are asked, nobody is resumed, not even by a ticket from before they were.
	 */
	if (!tls_tickets_are_there(SSL_CTX_get_app_data(ctx)) ||
	    (SSL_CTX_get_verify_mode(ctx) & SSL_VERIFY_PEER) != 0)
		tls_tickets_forbid(ssl);
	/* Passwords pass; of other mail nothing is kept longer than it takes, either, and it is much. */
	if (strcmp(role, listener_role_name(LISTENER_SUBMISSION)) == 0)
		SSL_set_options(ssl, SSL_OP_CLEANSE_PLAINTEXT);
	if (SSL_set_fd(ssl, fd) == 1 &&
	    SSL_set_session_id_context(
		ssl, (const unsigned char *)role, (unsigned)strlen(role)) == 1)
		return ssl;
	SSL_free(ssl);
	return NULL;
}
