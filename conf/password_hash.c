/* password_hash: stored passwords. See password_hash.h. Called by the directory's threads and by passwd. */
#include "conf/password_hash.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/xalloc.h"
#include "conf/scram.h"

/* Costs above these take seconds, and a thread is everybody's. */
#define BCRYPT_MAX     14  /* logarithm */
#define YESCRYPT_N_MAX 'B' /* the parameter's character: 64 MiB with the largest r */

#define KEY_SIZE 32 /* of SHA-256 */

static const struct {
	const char *scheme;
	enum password_form form;
	const char *crypt; /* what the hash begins with; NULL: any modern one; "": DES */
} schemes[] = {
    {"{CRYPT}", PASSWORD_CRYPT, NULL},
    {"{BLF-CRYPT}", PASSWORD_CRYPT, "$2"},
    {"{SHA512-CRYPT}", PASSWORD_CRYPT, "$6$"},
    {"{SHA256-CRYPT}", PASSWORD_CRYPT, "$5$"},
    {"{MD5-CRYPT}", PASSWORD_CRYPT, "$1$"},
    {"{DES-CRYPT}", PASSWORD_CRYPT, ""},
    {"{PLAIN}", PASSWORD_PLAIN, NULL},
    {"{CLEARTEXT}", PASSWORD_PLAIN, NULL},
    {"{SSHA}", PASSWORD_SSHA1, NULL},
    {"{SSHA256}", PASSWORD_SSHA256, NULL},
    {"{SSHA512}", PASSWORD_SSHA512, NULL},
    {"{SCRAM-SHA-256}", PASSWORD_SCRAM_SHA256, NULL},
};

static bool
sha_cost_is_good(struct span text)
{
	uint64_t rounds;

	text = span_skip(text, 3);
	if (!span_starts_with(text, "rounds="))
		return true;
	text = span_skip(text, 7);
	return span_to_u64(span_cut(&text, '$'), PASSWORD_ROUNDS_MAX, &rounds) == 0;
}

/* "$2b$NN$": the cost is the logarithm of the rounds. */
static bool
bcrypt_cost_is_good(struct span text)
{
	uint64_t cost;

	return text.len > 7 && text.p[3] == '$' && text.p[6] == '$' &&
	       span_to_u64(span_make(text.p + 4, 2), BCRYPT_MAX, &cost) == 0;
}

/* "j9T$": flavour, N and r, and no further parameter. crypt_gensalt(3) makes no other ones. */
static bool
yescrypt_cost_is_good(struct span text)
{
	return text.len > 4 && text.p[0] == 'j' && text.p[1] >= '.' &&
	       text.p[1] <= YESCRYPT_N_MAX && text.p[2] >= '.' && text.p[2] <= 'T' &&
	       text.p[3] == '$';
}

/* A hash as crypt(3) makes it today, of a cost that can be borne. */
static bool
is_modern(struct span text)
{
	if (span_starts_with(text, "$6$") || span_starts_with(text, "$5$"))
		return sha_cost_is_good(text);
	if (span_starts_with(text, "$2a$") || span_starts_with(text, "$2b$") ||
	    span_starts_with(text, "$2y$"))
		return bcrypt_cost_is_good(text);
	if (span_starts_with(text, "$y$"))
		return yescrypt_cost_is_good(span_skip(text, 3));
	return span_starts_with(text, "$gy$") && yescrypt_cost_is_good(span_skip(text, 4));
}

static bool
is_des(struct span text)
{
	return text.len == 13 && text.p[0] != '$' && text.p[0] != '_';
}

/* Base64 of a digest and some salt behind it. */
static bool
is_salted(const EVP_MD *md, struct span text)
{
	struct buf octets;
	bool is;

	buf_init(&octets, PASSWORD_STORED_MAX);
	is = base64_decode(text, &octets) == 0 && octets.len > (size_t)EVP_MD_get_size(md);
	buf_release(&octets);
	return is;
}

/* Is it what the scheme (numbered i) says? */
static bool
fits_scheme(size_t i, struct span text)
{
	const char *begins = schemes[i].crypt;
	struct scram scram;

	switch (schemes[i].form) {
	case PASSWORD_SCRAM_SHA256:
		return scram_parse(text, &scram) == 0;
	case PASSWORD_SSHA1:
		return is_salted(EVP_sha1(), text);
	case PASSWORD_SSHA256:
		return is_salted(EVP_sha256(), text);
	case PASSWORD_SSHA512:
		return is_salted(EVP_sha512(), text);
	case PASSWORD_PLAIN:
		return text.len > 0;
	case PASSWORD_CRYPT:
	case PASSWORD_DISABLED:
	case PASSWORD_UNKNOWN:
		break;
	}
	if (begins == NULL)
		return is_modern(text);
	if (*begins == '\0')
		return is_des(text);
	if (!span_starts_with(text, begins))
		return false;
	return strcmp(begins, "$1$") == 0 || is_modern(text);
}

enum password_form
password_hash_form(struct span stored, struct span *text)
{
	if (text != NULL)
		*text = stored;
	if (stored.len == 0 || span_is(stored, "x") || stored.p[0] == '*' || stored.p[0] == '!')
		return PASSWORD_DISABLED;
	if (stored.len > PASSWORD_STORED_MAX)
		return PASSWORD_UNKNOWN;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		struct span rest;

		if (!span_starts_with_nocase(stored, schemes[i].scheme))
			continue;
		rest = span_skip(stored, strlen(schemes[i].scheme));
		if (text != NULL)
			*text = rest;
		return fits_scheme(i, rest) ? schemes[i].form : PASSWORD_UNKNOWN;
	}
	return is_modern(stored) ? PASSWORD_CRYPT : PASSWORD_UNKNOWN;
}

bool
password_hash_is_cheap(enum password_form form)
{
	return form != PASSWORD_CRYPT;
}

bool
password_hash_allows_scram(enum password_form form)
{
	return form == PASSWORD_SCRAM_SHA256 || form == PASSWORD_PLAIN;
}

/* crypt(3) wants texts that end, and 32 KiB for what it knows meanwhile. */
static bool
verify_crypt(const char *text, const char *password)
{
	struct crypt_data *data = xcalloc(1, sizeof *data);
	const char *made = crypt_rn(password, text, data, sizeof *data);
	size_t n = strlen(text);
	bool right =
	    made != NULL && strlen(made) == n && n > 0 && CRYPTO_memcmp(made, text, n) == 0;

	explicit_bzero(data, sizeof *data);
	free(data);
	return right;
}

static bool
digest(const EVP_MD *md, struct span a, struct span b, unsigned char out[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool done = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
		    EVP_DigestUpdate(ctx, a.p, a.len) == 1 &&
		    EVP_DigestUpdate(ctx, b.p, b.len) == 1 &&
		    EVP_DigestFinal_ex(ctx, out, NULL) == 1;

	EVP_MD_CTX_free(ctx);
	return done;
}

/* Compared by digest, so that not even the length shows in the time. */
static bool
verify_plain(struct span text, struct span password)
{
	const struct span none = {"", 0};
	unsigned char a[EVP_MAX_MD_SIZE], b[EVP_MAX_MD_SIZE];
	bool right = digest(EVP_sha256(), text, none, a) &&
		     digest(EVP_sha256(), password, none, b) &&
		     CRYPTO_memcmp(a, b, KEY_SIZE) == 0;

	explicit_bzero(a, sizeof a);
	explicit_bzero(b, sizeof b);
	return right;
}

static bool
verify_salted(const EVP_MD *md, struct span text, struct span password)
{
	size_t size = (size_t)EVP_MD_get_size(md);
	unsigned char made[EVP_MAX_MD_SIZE];
	struct buf octets;
	bool right;

	buf_init(&octets, PASSWORD_STORED_MAX);
	right = base64_decode(text, &octets) == 0 && octets.len > size &&
		digest(md, password, span_skip(buf_span(&octets), size), made) &&
		CRYPTO_memcmp(made, octets.p, size) == 0;
	buf_release(&octets);
	return right;
}

/* RFC 5802 3: the server key of a password, compared with the one that is stored. */
static bool
verify_scram(struct span text, struct span password)
{
	struct scram s, made;
	bool right;

	if (scram_parse(text, &s) != 0)
		return false;
	made = s;
	scram_derive(&made, password);
	right = CRYPTO_memcmp(made.server_key, s.server_key, SCRAM_KEY_SIZE) == 0;
	explicit_bzero(&made, sizeof made);
	return right;
}

static bool
verify(enum password_form form, struct span text, const char *word, struct span password)
{
	char stored[PASSWORD_STORED_MAX + 1];

	switch (form) {
	case PASSWORD_CRYPT:
		memcpy(stored, text.p, text.len);
		stored[text.len] = '\0';
		return strlen(stored) == text.len && verify_crypt(stored, word);
	case PASSWORD_PLAIN:
		return verify_plain(text, password);
	case PASSWORD_SSHA1:
		return verify_salted(EVP_sha1(), text, password);
	case PASSWORD_SSHA256:
		return verify_salted(EVP_sha256(), text, password);
	case PASSWORD_SSHA512:
		return verify_salted(EVP_sha512(), text, password);
	case PASSWORD_SCRAM_SHA256:
		return verify_scram(text, password);
	case PASSWORD_DISABLED:
	case PASSWORD_UNKNOWN:
		break;
	}
	return false;
}

bool
password_hash_verify(struct span stored, struct span password)
{
	char word[PASSWORD_MAX + 1];
	struct span text;
	enum password_form form = password_hash_form(stored, &text);
	bool right;

	if (password.len == 0 || password.len > PASSWORD_MAX ||
	    memchr(password.p, '\0', password.len) != NULL)
		return false;
	memcpy(word, password.p, password.len);
	word[password.len] = '\0';
	right = verify(form, text, word, password);
	explicit_bzero(word, sizeof word);
	return right;
}
