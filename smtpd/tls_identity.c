/* tls_identity: a certificate as it is shown to clients. See tls_identity.h. */
#include "smtpd/tls_identity.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"

static int
add_pair(struct tls_identity *i, struct tls_provider *p, struct span chain, tls_sign_fn *sign,
    void *arg)
{
	struct key_pair *pair = &i->pairs[i->n];
	struct buf why;
	int r = -1;

	buf_init(&why, 1024);
	if (key_pair_parse_certificate(chain, pair, &why) == 0) {
		i->n++;
		pair->key = tls_provider_key(p, pair->leaf, pair->id, sign, arg);
		if (pair->key != NULL)
			r = 0;
		else
			buf_add_str(&why, "its key is of an unknown kind");
	}
	if (r != 0)
		log_warnx("a certificate from keys cannot be used: %s", buf_str(&why));
	buf_release(&why);
	return r;
}

struct tls_identity *
tls_identity_new(
    struct tls_provider *p, struct span chain, struct span second, tls_sign_fn *sign, void *arg)
{
	struct tls_identity *i = xcalloc(1, sizeof *i);

	i->refs = 1;
	if (add_pair(i, p, chain, sign, arg) != 0 ||
	    (second.len > 0 && add_pair(i, p, second, sign, arg) != 0)) {
		tls_identity_unref(&i);
		return NULL;
	}
	snprintf(
	    i->id, sizeof i->id, "%s%s%s", i->pairs[0].id, i->n > 1 ? " " : "", i->pairs[1].id);
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
	for (size_t k = 0; k < i->n; k++)
		key_pair_release(&i->pairs[k]);
	free(i);
}

const char *
tls_identity_id(const struct tls_identity *i)
{
	return i->id;
}

int
tls_identity_use(const struct tls_identity *i, SSL *ssl)
{
	for (size_t k = 0; k < i->n; k++)
		if (SSL_use_cert_and_key(
			ssl, i->pairs[k].leaf, i->pairs[k].key, i->pairs[k].chain, 1) != 1)
			return -1;
	return 0;
}
