/*
 * tls_tickets: seals and opens session tickets. See tls_tickets.h. A connection
 * whose client is asked for a certificate has none: who he is, is found out in each
 * handshake, and not taken over from an old one.
 */
#include "smtpd/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "conf/ticket_keys.h"

struct tls_tickets {
	pthread_mutex_t lock;
	bool there; /* guarded by lock, as are the keys */
	struct ticket_key keys[TICKET_KEYS];
};

struct tls_tickets *
tls_tickets_new(void)
{
	struct tls_tickets *t = xcalloc(1, sizeof *t);

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void
tls_tickets_free(struct tls_tickets **tp)
{
	struct tls_tickets *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	pthread_mutex_destroy(&t->lock);
	explicit_bzero(t->keys, sizeof t->keys);
	free(t);
}

void
tls_tickets_set(struct tls_tickets *t, struct span keys)
{
	if (keys.len != sizeof t->keys)
		return;
	pthread_mutex_lock(&t->lock);
	memcpy(t->keys, keys.p, sizeof t->keys);
	t->there = true;
	pthread_mutex_unlock(&t->lock);
}

bool
tls_tickets_are_there(struct tls_tickets *t)
{
	bool there;

	pthread_mutex_lock(&t->lock);
	there = t->there;
	pthread_mutex_unlock(&t->lock);
	return there;
}

/* The key of that name (NULL: the one that seals). Its index, or -1. */
static int
find_key(struct tls_tickets *t, const unsigned char *name, struct ticket_key *key)
{
	int found = -1;

	pthread_mutex_lock(&t->lock);
	for (int i = 0; t->there && i < TICKET_KEYS && found < 0; i++) {
		if (name == NULL || memcmp(name, t->keys[i].name, TICKET_NAME_SIZE) == 0) {
			*key = t->keys[i];
			found = i;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return found;
}

static bool
set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
	    OSSL_PARAM_construct_end()};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 done, 0 no ticket or not one of ours, 2 opened, make a new one, -1 failed. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal)
{
	struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_key key;
	int found = -1, r = -1;

	if ((SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) == 0)
		found = find_key(t, seal ? NULL : name, &key);
	if (found < 0)
		return 0;
	if (seal) {
		memcpy(name, key.name, sizeof key.name);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
		    EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), key.cipher, iv, NULL) == 1 &&
		    set_mac(mac, &key))
			r = 1;
	} else if (EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), key.cipher, iv, NULL) == 1 &&
		   set_mac(mac, &key)) {
		/* In TLS 1.3 a ticket is for one use (RFC 8446 C.4); before, it is kept while its key seals. */
		r = found == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
	}
	explicit_bzero(&key, sizeof key);
	return r;
}

void
tls_tickets_attach(struct tls_tickets *t, SSL_CTX *ctx)
{
	SSL_CTX_set_app_data(ctx, t);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_timeout(ctx, TICKET_KEYS_LIFE_SEC);
	/* Nothing is kept here; a second ticket is for clients that connect twice at once. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
}

void
tls_tickets_forbid(SSL *ssl)
{
	SSL_set_options(ssl, SSL_OP_NO_TICKET);
	(void)SSL_set_num_tickets(ssl, 0);
}
