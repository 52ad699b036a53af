/* tls_identity: a certificate as it is shown to clients. See tls_identity.h. */
#include "smtpd/tls_identity.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"

struct tls_identity *
tls_identity_new(struct tls_provider *p, struct span chain, tls_sign_fn *sign, void *arg)
{
	struct tls_identity *i = xcalloc(1, sizeof *i);
	struct buf why;

	i->refs = 1;
	buf_init(&why, 1024);
	if (key_pair_parse_certificate(chain, &i->pair, &why) == 0) {
		i->pair.key = tls_provider_key(p, i->pair.leaf, i->pair.id, sign, arg);
		if (i->pair.key == NULL)
			buf_add_str(&why, "its key is of an unknown kind");
	}
	if (i->pair.key == NULL) {
		log_warnx("a certificate from keys cannot be used: %s", buf_str(&why));
		tls_identity_unref(&i);
	}
	buf_release(&why);
	return i;
}

struct tls_identity *
tls_identity_ref(struct tls_identity *i)
{
	i->refs++;
	return i;
}

void
tls_identity_unref(struct tls_identity **ip)
{
	struct tls_identity *i = *ip;

	*ip = NULL;
	if (i == NULL || --i->refs > 0)
		return;
	key_pair_release(&i->pair);
	free(i);
}

const char *
tls_identity_id(const struct tls_identity *i)
{
	return i->pair.id;
}

int
tls_identity_use(const struct tls_identity *i, SSL *ssl)
{
	return SSL_use_cert_and_key(ssl, i->pair.leaf, i->pair.key, i->pair.chain, 1) == 1 ? 0
											   : -1;
}
