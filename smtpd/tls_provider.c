/*
 * tls_provider: keys that are elsewhere. See tls_provider.h; provider(7),
 * provider-keymgmt(7) and provider-signature(7) tell what OpenSSL calls when.
 *
 * A key of ours refuses to be exported with its private half, so OpenSSL finds
 * no other provider to sign with it. Everything else it is asked goes to the public
 * key, which is one of OpenSSL's own.
 */
#include "smtpd/tls_provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xalloc.h"

#define NAME	   "postrider"
#define PROPERTIES "provider=" NAME

/* The one parameter by which a key of ours is made: a struct source. */
#define PARAM_SOURCE "postrider-source"

struct tls_provider {
	OSSL_LIB_CTX *context;
	OSSL_PROVIDER *standard, *ours;
};

/* What a key is made from. */
struct source {
	EVP_PKEY *public;
	const char *id;
	tls_sign_fn *sign;
	void *arg;
};

/* A key. Without sign it is a public one, which OpenSSL makes to compare. */
struct key {
	OSSL_LIB_CTX *context;
	const char *type;
	EVP_PKEY *public;
	char *id;
	tls_sign_fn *sign;
	void *arg;
};

/* A signature being made. */
struct signing {
	const struct key *key;
	const char *digest;
	bool pss;
};

/* --- keys --- */

static void *
key_new(void *provider, const char *type)
{
	struct key *k = xcalloc(1, sizeof *k);

	k->context = provider;
	k->type = type;
	return k;
}

static void *
key_new_rsa(void *provider)
{
	return key_new(provider, "RSA");
}

static void *
key_new_ec(void *provider)
{
	return key_new(provider, "EC");
}

static void *
key_new_ed25519(void *provider)
{
	return key_new(provider, "ED25519");
}

static void
key_free(void *arg)
{
	struct key *k = arg;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->public);
	free(k->id);
	free(k);
}

static int
key_has(const void *arg, int selection)
{
	const struct key *k = arg;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && k->sign == NULL)
		return 0;
	return k->public != NULL;
}

/* From a source, or from what another provider has exported: a public key. */
static int
key_import(void *arg, int selection, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, PARAM_SOURCE);
	struct key *k = arg;
	EVP_PKEY_CTX *c;
	int r;

	(void)selection;
	if (p != NULL && p->data_size == sizeof(struct source)) {
		const struct source *s = p->data;

		k->public = s->public;
		k->id = xstrdup(s->id);
		k->sign = s->sign;
		k->arg = s->arg;
		return EVP_PKEY_up_ref(k->public);
	}
	c = EVP_PKEY_CTX_new_from_name(k->context, k->type, "provider=default");
	r = c != NULL && EVP_PKEY_fromdata_init(c) == 1 &&
	    EVP_PKEY_fromdata(c, &k->public, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)params) == 1;
	EVP_PKEY_CTX_free(c);
	return r;
}

static const OSSL_PARAM *
key_types(int selection)
{
	static const OSSL_PARAM types[] = {
	    OSSL_PARAM_octet_string(PARAM_SOURCE, NULL, 0), OSSL_PARAM_END};

	(void)selection;
	return types;
}

static int
key_export(void *arg, int selection, OSSL_CALLBACK *fn, void *fn_arg)
{
	const struct key *k = arg;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
		return 0;
	return EVP_PKEY_export(k->public, selection, fn, fn_arg);
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct key *x = a, *y = b;

	(void)selection;
	return EVP_PKEY_eq(x->public, y->public) == 1;
}

static int
key_get_params(void *arg, OSSL_PARAM params[])
{
	const struct key *k = arg;

	return EVP_PKEY_get_params(k->public, params);
}

static const OSSL_PARAM *
key_gettable_params(void *provider)
{
	static const OSSL_PARAM types[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
	    OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0), OSSL_PARAM_END};

	(void)provider;
	return types;
}

/* What signs with an EC key goes by another name than the key. */
static const char *
key_ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

/* --- signatures --- */

static void *
signing_new(void *provider, const char *properties)
{
	(void)provider, (void)properties;
	return xcalloc(1, sizeof(struct signing));
}

static void
signing_free(void *arg)
{
	free(arg);
}

/* Padding alone: a salt as long as the digest is what TLS asks for, and what keys does. */
static int
signing_set_params(void *arg, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p =
	    params != NULL ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE)
			   : NULL;
	struct signing *s = arg;
	int mode = 0;

	if (p == NULL)
		return 1;
	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		s->pss = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
		return s->pss || strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0;
	}
	if (OSSL_PARAM_get_int(p, &mode) != 1)
		return 0;
	s->pss = mode == RSA_PKCS1_PSS_PADDING;
	return s->pss || mode == RSA_PKCS1_PADDING;
}

static const OSSL_PARAM *
signing_settable_params(void *arg, void *provider)
{
	static const OSSL_PARAM types[] = {
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
	    OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0), OSSL_PARAM_END};

	(void)arg, (void)provider;
	return types;
}

/* Our name of a digest; NULL: one that no handshake uses. */
static const char *
digest_name(const char *name)
{
	static const struct {
		const char *theirs, *ours;
	} names[] = {{"SHA256", "SHA256"}, {"SHA2-256", "SHA256"}, {"SHA384", "SHA384"},
	    {"SHA2-384", "SHA384"}, {"SHA512", "SHA512"}, {"SHA2-512", "SHA512"}};

	if (name == NULL || *name == '\0')
		return "";
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (OPENSSL_strcasecmp(name, names[i].theirs) == 0)
			return names[i].ours;
	return NULL;
}

static int
signing_init(void *arg, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct signing *s = arg;

	if (key != NULL)
		s->key = key;
	s->digest = digest_name(digest);
	s->pss = false;
	return s->digest != NULL && signing_set_params(s, params);
}

static int
signing_sign(void *arg, unsigned char *out, size_t *len, size_t room,
    const unsigned char *message, size_t message_len)
{
	const struct signing *s = arg;
	struct tls_sign what;
	unsigned char signature[TLS_SIGN_MAX];
	size_t n;

	if (s->key == NULL || s->key->sign == NULL)
		return 0;
	if (out == NULL) {
		*len = (size_t)EVP_PKEY_get_size(s->key->public);
		return 1;
	}
	what =
	    (struct tls_sign){s->key->id, s->digest, s->pss, span_make(message, message_len)};
	if (s->key->sign(&what, signature, &n, s->key->arg) != 0 || n > room)
		return 0;
	memcpy(out, signature, n);
	*len = n;
	return 1;
}

/* --- the provider --- */

/* OpenSSL wants each function as one without arguments and knows from the number what it is. */
#define FUNCTION(number, f)                                                                    \
	{                                                                                      \
		number, (void (*)(void))(f)                                                    \
	}

#define KEY_FUNCTIONS(make)                                                                    \
	FUNCTION(OSSL_FUNC_KEYMGMT_NEW, make), FUNCTION(OSSL_FUNC_KEYMGMT_FREE, key_free),     \
	    FUNCTION(OSSL_FUNC_KEYMGMT_HAS, key_has),                                          \
	    FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                                    \
	    FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),                               \
	    FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                                    \
	    FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),                               \
	    FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, key_match),                                      \
	    FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                            \
	    FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params)

static const OSSL_DISPATCH rsa_functions[] = {KEY_FUNCTIONS(key_new_rsa), {0, NULL}};
static const OSSL_DISPATCH ed25519_functions[] = {KEY_FUNCTIONS(key_new_ed25519), {0, NULL}};
static const OSSL_DISPATCH ec_functions[] = {KEY_FUNCTIONS(key_new_ec),
    FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_ec_operation), {0, NULL}};

static const OSSL_ALGORITHM key_kinds[] = {
    {"RSA:rsaEncryption", PROPERTIES, rsa_functions, NULL},
    {"EC:id-ecPublicKey", PROPERTIES, ec_functions, NULL},
    {"ED25519", PROPERTIES, ed25519_functions, NULL},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_DISPATCH signing_functions[] = {
    FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
    FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, signing_free),
    FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signing_init),
    FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signing_sign),
    FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signing_set_params),
    FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signing_settable_params),
    {0, NULL},
};

static const OSSL_ALGORITHM signing_kinds[] = {
    {"RSA:rsaEncryption", PROPERTIES, signing_functions, NULL},
    {"ECDSA", PROPERTIES, signing_functions, NULL},
    {"ED25519", PROPERTIES, signing_functions, NULL},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM *
query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT	? key_kinds
	       : operation == OSSL_OP_SIGNATURE ? signing_kinds
						: NULL;
}

static const OSSL_DISPATCH provider_functions[] = {
    FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), {0, NULL}};

/* The provider's own context is the library context it is in: where a key finds OpenSSL's public keys. */
static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **functions, void **context)
{
	OSSL_FUNC_core_get_libctx_fn *get = NULL;

	for (; in->function_id != 0; in++)
		if (in->function_id == OSSL_FUNC_CORE_GET_LIBCTX)
			get = OSSL_FUNC_core_get_libctx(in);
	if (get == NULL)
		return 0;
	*context = (void *)get(handle);
	*functions = provider_functions;
	return 1;
}

struct tls_provider *
tls_provider_new(void)
{
	struct tls_provider *p = xcalloc(1, sizeof *p);

	/* For a fetch that says nothing of providers OpenSSL's own come first: keys of ours are asked for by name. */
	p->context = OSSL_LIB_CTX_new();
	if (p->context == NULL ||
	    (p->standard = OSSL_PROVIDER_load(p->context, "default")) == NULL ||
	    OSSL_PROVIDER_add_builtin(p->context, NAME, provider_init) != 1 ||
	    (p->ours = OSSL_PROVIDER_load(p->context, NAME)) == NULL ||
	    EVP_set_default_properties(p->context, "?provider=default") != 1)
		fatalx("OpenSSL cannot be used: %s",
		    ERR_reason_error_string(ERR_peek_error()) != NULL
			? ERR_reason_error_string(ERR_peek_error())
			: "unknown reason");
	return p;
}

void
tls_provider_free(struct tls_provider **pp)
{
	struct tls_provider *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	OSSL_PROVIDER_unload(p->ours);
	OSSL_PROVIDER_unload(p->standard);
	OSSL_LIB_CTX_free(p->context);
	free(p);
}

OSSL_LIB_CTX *
tls_provider_context(struct tls_provider *p)
{
	return p->context;
}

EVP_PKEY *
tls_provider_key(
    struct tls_provider *p, X509 *certificate, const char *id, tls_sign_fn *sign, void *arg)
{
	EVP_PKEY *public = X509_get0_pubkey(certificate), *key = NULL;
	struct source source = {public, id, sign, arg};
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(PARAM_SOURCE, &source, sizeof source),
	    OSSL_PARAM_construct_end()};
	const char *type = public != NULL ? EVP_PKEY_get0_type_name(public) : NULL;
	EVP_PKEY_CTX *c =
	    type != NULL ? EVP_PKEY_CTX_new_from_name(p->context, type, PROPERTIES) : NULL;

	if (c == NULL || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(c);
	ERR_clear_error();
	return key;
}
