/* scram: SCRAM-SHA-256 on the server's side. See scram.h. Called by the directory's threads, by password_hash and by admin. */
#include "conf/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "common/base64.h"
#include "common/log.h"
#include "conf/password_hash.h"

static void
hmac(const unsigned char *key, size_t len, struct span text, unsigned char out[SCRAM_KEY_SIZE])
{
	size_t n;

	if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, len,
		(const unsigned char *)text.p, text.len, out, SCRAM_KEY_SIZE, &n) == NULL)
		fatalx("OpenSSL cannot make an HMAC with SHA-256");
}

static void
hash(const unsigned char in[SCRAM_KEY_SIZE], unsigned char out[SCRAM_KEY_SIZE])
{
	size_t n;

	if (EVP_Q_digest(NULL, "SHA256", NULL, in, SCRAM_KEY_SIZE, out, &n) != 1)
		fatalx("OpenSSL cannot make a digest with SHA-256");
}

/* Base64 of at least min and at most max octets. */
static int
take_octets(struct span text, unsigned char *out, size_t min, size_t max, size_t *n)
{
	struct buf octets;
	int r = -1;

	buf_init(&octets, PASSWORD_STORED_MAX);
	if (base64_decode(text, &octets) == 0 && octets.len >= min && octets.len <= max) {
		memcpy(out, octets.p, octets.len);
		*n = octets.len;
		r = 0;
	}
	buf_release(&octets);
	return r;
}

int
scram_parse(struct span stored, struct scram *s)
{
	uint64_t iterations;
	size_t n;

	*s = (struct scram){.iterations = 0};
	if (span_to_u64(span_cut(&stored, ','), PASSWORD_ROUNDS_MAX, &iterations) != 0 ||
	    iterations == 0 ||
	    take_octets(span_cut(&stored, ','), s->salt, 1, SCRAM_SALT_MAX, &s->salt_len) !=
		0 ||
	    take_octets(span_cut(&stored, ','), s->stored_key, SCRAM_KEY_SIZE, SCRAM_KEY_SIZE,
		&n) != 0 ||
	    take_octets(stored, s->server_key, SCRAM_KEY_SIZE, SCRAM_KEY_SIZE, &n) != 0)
		return -1;
	s->iterations = (uint32_t)iterations;
	return 0;
}

int
scram_format(const struct scram *s, struct buf *out)
{
	return buf_addf(out, "%u,", s->iterations) != 0 ||
		       base64_encode(span_make(s->salt, s->salt_len), out) != 0 ||
		       buf_add_char(out, ',') != 0 ||
		       base64_encode(span_make(s->stored_key, SCRAM_KEY_SIZE), out) != 0 ||
		       buf_add_char(out, ',') != 0 ||
		       base64_encode(span_make(s->server_key, SCRAM_KEY_SIZE), out) != 0
		   ? -1
		   : 0;
}

void
scram_derive(struct scram *s, struct span password)
{
	unsigned char salted[SCRAM_KEY_SIZE], client[SCRAM_KEY_SIZE];

	if (PKCS5_PBKDF2_HMAC(password.p, (int)password.len, s->salt, (int)s->salt_len,
		(int)s->iterations, EVP_sha256(), SCRAM_KEY_SIZE, salted) != 1)
		fatalx("OpenSSL cannot derive a key");
	hmac(salted, sizeof salted, span_str("Client Key"), client);
	hash(client, s->stored_key);
	hmac(salted, sizeof salted, span_str("Server Key"), s->server_key);
	explicit_bzero(salted, sizeof salted);
	explicit_bzero(client, sizeof client);
}

/* A salt longer than one HMAC is made of several. */
void
scram_make_up(struct scram *s, const unsigned char *secret, struct span name)
{
	unsigned char key[SCRAM_KEY_SIZE], made[SCRAM_KEY_SIZE];
	char number = 0;

	hmac(secret, SCRAM_SECRET_SIZE, name, key);
	for (size_t at = 0; at < s->salt_len; at += sizeof made) {
		size_t left = s->salt_len - at;

		hmac(key, sizeof key, span_make(&number, 1), made);
		memcpy(s->salt + at, made, left < sizeof made ? left : sizeof made);
		number++;
	}
	hmac(key, sizeof key, span_str("stored"), s->stored_key);
	hmac(key, sizeof key, span_str("server"), s->server_key);
	explicit_bzero(key, sizeof key);
}

bool
scram_verify(const struct scram *s, struct span message, struct span proof,
    unsigned char signature[SCRAM_KEY_SIZE])
{
	unsigned char key[SCRAM_KEY_SIZE], made[SCRAM_KEY_SIZE];
	bool right;

	hmac(s->server_key, SCRAM_KEY_SIZE, message, signature);
	hmac(s->stored_key, SCRAM_KEY_SIZE, message, key);
	for (size_t i = 0; i < sizeof key; i++)
		key[i] ^= i < proof.len ? (unsigned char)proof.p[i] : 0;
	hash(key, made);
	right =
	    CRYPTO_memcmp(made, s->stored_key, sizeof made) == 0 && proof.len == SCRAM_KEY_SIZE;
	explicit_bzero(key, sizeof key);
	explicit_bzero(made, sizeof made);
	return right;
}
