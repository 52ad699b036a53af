/*
 * tls_identity: a certificate as it is shown to clients, with its chain and its
 * key, which is elsewhere (smtpd/tls_provider.h); or two for one name, of which OpenSSL
 * shows the one whose kind of key the client knows, ECDSA rather than RSA. Counted by the event loop's
 * thread alone; once made it does not change, so the handshakes' thread may use it.
 */
#ifndef SMTPD_TLS_IDENTITY_H
#define SMTPD_TLS_IDENTITY_H

#include <openssl/ssl.h>

#include "common/span.h"
#include "conf/key_pair.h"
#include "smtpd/tls_provider.h"

struct tls_identity {
	unsigned refs;
	struct key_pair pairs[2]; /* their keys are the provider's */
	size_t n;
	char id[KEY_PAIR_IDS_SIZE];
};

/*
 * From PEM text; second is empty if there is one alone. One reference belongs to the caller. NULL: it cannot be used, which is said in the log.
 * sign gets signatures for it, with arg.
 */
struct tls_identity *tls_identity_new(struct tls_provider *p, struct span chain,
    struct span second, tls_sign_fn *sign, void *arg);

/* One more reference; one less (clears *i; frees at none; NULL is fine). */
struct tls_identity *tls_identity_ref(struct tls_identity *i);
void tls_identity_unref(struct tls_identity **i);

/* The id by which keys knows it. */
const char *tls_identity_id(const struct tls_identity *i);

/* Shows it in this handshake. 0 or -1. */
int tls_identity_use(const struct tls_identity *i, SSL *ssl)
    __attribute__((warn_unused_result));

#endif
