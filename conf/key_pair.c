/* key_pair: a TLS certificate and its key. See key_pair.h. */
#include "conf/key_pair.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"

/* PEM with a pass phrase: there is nobody to ask. */
static int
no_pass_phrase(char *out, int size, int writing, void *arg)
{
	(void)out, (void)size, (void)writing;
	*(bool *)arg = true;
	return -1;
}

static BIO *
reader(struct span text)
{
	BIO *b = BIO_new_mem_buf(text.p != NULL ? text.p : "", (int)text.len);

	if (b == NULL)
		fatalx("out of memory");
	return b;
}

void
key_pair_release(struct key_pair *p)
{
	X509_free(p->leaf);
	sk_X509_pop_free(p->chain, X509_free);
	EVP_PKEY_free(p->key);
	*p = (struct key_pair){.leaf = NULL};
}

/* The id: what is shown to clients makes the pair. */
static int
make_id(struct key_pair *p)
{
	unsigned char digest[EVP_MAX_MD_SIZE], one[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned n = 0;
	bool ok = c != NULL && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1;

	for (int i = -1; ok && i < sk_X509_num(p->chain); i++) {
		const X509 *x = i < 0 ? p->leaf : sk_X509_value(p->chain, i);

		ok = X509_digest(x, EVP_sha256(), one, &n) == 1 &&
		     EVP_DigestUpdate(c, one, n) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(c, digest, &n) == 1;
	EVP_MD_CTX_free(c);
	for (size_t i = 0; ok && i < (KEY_PAIR_ID_SIZE - 1) / 2; i++)
		snprintf(p->id + 2 * i, 3, "%02x", digest[i]);
	return ok ? 0 : -1;
}

/* What kind of key a certificate may be for. */
static int
judge_key(EVP_PKEY *key, struct buf *why)
{
	int bits = EVP_PKEY_get_bits(key);
	char curve[64] = "";

	if (EVP_PKEY_is_a(key, "RSA")) {
		if (bits >= 2048 && bits <= 4096)
			return 0;
		buf_addf(why, "its RSA key has %d bits, expected 2048 to 4096", bits);
		return -1;
	}
	if (EVP_PKEY_is_a(key, "ED25519"))
		return 0;
	if (EVP_PKEY_is_a(key, "EC") &&
	    EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) == 1 &&
	    (strcmp(curve, "prime256v1") == 0 || strcmp(curve, "secp384r1") == 0 ||
		strcmp(curve, "secp521r1") == 0))
		return 0;
	buf_add_str(why, "its key is of a kind that clients do not know, expected RSA, EC on "
			 "P-256, P-384 or "
			 "P-521, or Ed25519");
	return -1;
}

int
key_pair_parse_certificate(struct span certificate, struct key_pair *p, struct buf *why)
{
	BIO *in = reader(certificate);
	X509 *x;
	int r = -1;

	*p = (struct key_pair){.leaf = PEM_read_bio_X509(in, NULL, NULL, NULL)};
	p->chain = sk_X509_new_null();
	if (p->chain == NULL)
		fatalx("out of memory");
	while (p->leaf != NULL && sk_X509_num(p->chain) < KEY_PAIR_CERTIFICATES_MAX &&
	       (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(p->chain, x) == 0)
			fatalx("out of memory");
	if (p->leaf == NULL)
		buf_add_str(why, "holds no certificate, expected PEM text");
	else if (sk_X509_num(p->chain) >= KEY_PAIR_CERTIFICATES_MAX)
		buf_addf(why,
		    "holds more than %d certificates, expected that of this host and those "
		    "that lead from it to a root",
		    KEY_PAIR_CERTIFICATES_MAX);
	else if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		buf_addf(why, "certificate %d of it cannot be read", sk_X509_num(p->chain) + 2);
	else if (X509_get0_pubkey(p->leaf) == NULL)
		buf_add_str(why, "the key in the certificate cannot be read");
	else if (judge_key(X509_get0_pubkey(p->leaf), why) == 0)
		r = make_id(p);
	ERR_clear_error();
	BIO_free(in);
	if (r != 0)
		key_pair_release(p);
	return r;
}

static int
parse_key(struct span text, struct key_pair *p, struct buf *why)
{
	bool asked = false;
	BIO *in = reader(text);

	p->key = PEM_read_bio_PrivateKey(in, NULL, no_pass_phrase, &asked);
	BIO_free(in);
	ERR_clear_error();
	if (asked) {
		buf_add_str(why, "is protected by a pass phrase, expected a key without one");
		return -1;
	}
	if (p->key == NULL) {
		buf_add_str(why, "holds no private key, expected PEM text");
		return -1;
	}
	if (EVP_PKEY_eq(p->key, X509_get0_pubkey(p->leaf)) != 1) {
		ERR_clear_error();
		buf_add_str(
		    why, "does not belong to the certificate (the first one in its file)");
		return -1;
	}
	return 0;
}

int
key_pair_parse(struct span certificate, struct span key, struct key_pair *p,
    enum key_pair_file *file, struct buf *why)
{
	*file = KEY_PAIR_CERTIFICATE;
	if (key_pair_parse_certificate(certificate, p, why) != 0)
		return -1;
	*file = KEY_PAIR_KEY;
	if (parse_key(key, p, why) != 0) {
		key_pair_release(p);
		return -1;
	}
	return 0;
}

bool
key_pair_covers(const struct key_pair *p, struct span name)
{
	return name.len > 0 && X509_check_host(p->leaf, name.p, name.len,
				   X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

bool
key_pair_is_of(const struct key_pair *p, struct span domain)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(p->leaf, NID_subject_alt_name, NULL, NULL);
	bool found = key_pair_covers(p, domain);

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
		struct span name;

		if (n->type != GEN_DNS)
			continue;
		name = span_make(ASN1_STRING_get0_data(n->d.dNSName),
		    (size_t)ASN1_STRING_length(n->d.dNSName));
		found = name.len > domain.len + 1 && name.p[name.len - domain.len - 1] == '.' &&
			span_eq_nocase(span_skip(name, name.len - domain.len), domain);
	}
	GENERAL_NAMES_free(names);
	return found;
}

const char *
key_pair_kind(const struct key_pair *p)
{
	EVP_PKEY *key = X509_get0_pubkey(p->leaf);

	return EVP_PKEY_is_a(key, "RSA") ? "RSA" : EVP_PKEY_is_a(key, "EC") ? "EC" : "ED25519";
}

bool
key_pair_same_kind(const struct key_pair *a, const struct key_pair *b)
{
	return strcmp(key_pair_kind(a), key_pair_kind(b)) == 0;
}

/* Seconds since 1970; a date that cannot be read is before all others. */
static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

/* "3 days", in the largest unit that fits. Returns out. */
static const char *
format_span(int64_t seconds, char out[32])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	size_t i = 0;

	while (i < 3 && seconds < units[i].seconds)
		i++;
	snprintf(out, 32, "%" PRId64 " %s%s", seconds / units[i].seconds, units[i].name,
	    seconds / units[i].seconds == 1 ? "" : "s");
	return out;
}

enum key_pair_term
key_pair_term(const struct key_pair *p, int64_t now, char text[KEY_PAIR_TERM_SIZE])
{
	int64_t from = seconds_of(X509_get0_notBefore(p->leaf));
	int64_t to = seconds_of(X509_get0_notAfter(p->leaf));
	char date[CLOCK_DATE_SIZE], far[32];

	text[0] = '\0';
	clock_format_iso(now < from && to > now ? from : to, date);
	if (to <= now) {
		snprintf(text, KEY_PAIR_TERM_SIZE, "the certificate has expired %s ago, on %s",
		    format_span(now - to, far), date);
		return KEY_PAIR_ENDED;
	}
	if (now < from) {
		snprintf(text, KEY_PAIR_TERM_SIZE,
		    "the certificate is not valid yet, but in %s, from %s on",
		    format_span(from - now, far), date);
		return KEY_PAIR_NOT_YET;
	}
	if (to - now > KEY_PAIR_SOON_DAYS * INT64_C(86400))
		return KEY_PAIR_VALID;
	snprintf(text, KEY_PAIR_TERM_SIZE, "the certificate expires in %s, on %s",
	    format_span(to - now, far), date);
	return KEY_PAIR_ENDS_SOON;
}

bool
key_pair_is_timely(const struct key_pair *p, int64_t now, int64_t *begins)
{
	char text[KEY_PAIR_TERM_SIZE];
	enum key_pair_term term = key_pair_term(p, now, text);

	if (begins != NULL)
		*begins = seconds_of(X509_get0_notBefore(p->leaf));
	return term == KEY_PAIR_VALID || term == KEY_PAIR_ENDS_SOON;
}

int
key_pair_format(const struct key_pair *p, struct buf *out)
{
	BIO *b = BIO_new(BIO_s_mem());
	bool ok = b != NULL && PEM_write_bio_X509(b, p->leaf) == 1;
	char *text;
	long n;

	for (int i = 0; ok && i < sk_X509_num(p->chain); i++)
		ok = PEM_write_bio_X509(b, sk_X509_value(p->chain, i)) == 1;
	n = ok ? BIO_get_mem_data(b, &text) : 0;
	if (n <= 0 || buf_add(out, text, (size_t)n) != 0)
		ok = false;
	BIO_free(b);
	return ok ? 0 : -1;
}
