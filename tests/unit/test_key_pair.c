/* test_key_pair: which certificates and keys are taken, what is said of others, and what is signed with them. */
#include "conf/key_pair.h"

#include "common/xalloc.h"
#include "conf/key_sign.h"
#include "tests/unit/certificates.h"
#include "tests/unit/testing.h"

struct fixture {
	struct certificate ec, rsa, small, weird, curve;
};

static int
make(void **state)
{
	static struct fixture f;

	certificate_make(&f.ec, "EC:P-256", "mx.test,DNS:*.wild.test", -1, 30, NULL);
	certificate_make(&f.rsa, "RSA:2048", "rsa.test", -10, -1, NULL);
	certificate_make(&f.small, "RSA:1024", "small.test", -1, 30, NULL);
	certificate_make(&f.weird, "ED448", "weird.test", -1, 30, &f.ec);
	certificate_make(&f.curve, "EC:secp256k1", "curve.test", -1, 30, NULL);
	*state = &f;
	return 0;
}

static int
unmake(void **state)
{
	struct fixture *f = *state;

	certificate_release(&f->ec);
	certificate_release(&f->rsa);
	certificate_release(&f->small);
	certificate_release(&f->weird);
	certificate_release(&f->curve);
	return 0;
}

static void
takes_what_clients_know(void **state)
{
	static const char *const kinds[] = {
	    "RSA:2048", "RSA:4096", "EC:P-256", "EC:P-384", "EC:P-521", "ED25519"};

	(void)state;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		enum key_pair_file file;
		struct certificate c;
		struct key_pair p;
		struct buf why;

		certificate_make(&c, kinds[i], "a.test", -1, 30, NULL);
		buf_init(&why, 1024);
		if (key_pair_parse(
			buf_span(&c.certificate), buf_span(&c.private), &p, &file, &why) != 0)
			fail_msg("%s: %s", kinds[i], buf_str(&why));
		check_row(kinds[i], strlen(p.id) == KEY_PAIR_ID_SIZE - 1);
		check_row(kinds[i], sk_X509_num(p.chain) == 0);
		check_row(kinds[i], key_pair_is_timely(&p, clock_wall(), NULL));
		key_pair_release(&p);
		key_pair_release(&p);
		certificate_release(&c);
		buf_release(&why);
	}
}

static void
says_what_is_wrong(void **state)
{
	static const char locked[] =
	    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
	    "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBAAAAAAAAAAAAAAAAAA\n"
	    "AAAAAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQAAAAAAAAAAAAAAAA\n"
	    "AAAAAARAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
	    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n"
	    "-----END ENCRYPTED PRIVATE KEY-----\n";
	struct fixture *f = *state;
	struct span ec = buf_span(&f->ec.certificate), key = buf_span(&f->ec.private);
	char *cut = xspandup(ec), *many = xmalloc(12 * ec.len);
	const struct {
		const char *name;
		struct span certificate, key;
		enum key_pair_file file;
		const char *why;
	} rows[] = {
	    {"nothing", span_str(""), span_str(""), KEY_PAIR_CERTIFICATE, "no certificate"},
	    {"no text", {NULL, 0}, {NULL, 0}, KEY_PAIR_CERTIFICATE, "no certificate"},
	    {"key for a certificate", key, key, KEY_PAIR_CERTIFICATE, "no certificate"},
	    {"certificate for a key", ec, ec, KEY_PAIR_KEY, "no private key"},
	    {"another's key", ec, buf_span(&f->rsa.private), KEY_PAIR_KEY, "does not belong"},
	    {"another's of the same kind", buf_span(&f->curve.certificate), key,
		KEY_PAIR_CERTIFICATE, "clients do not know"},
	    {"small", buf_span(&f->small.certificate), buf_span(&f->small.private),
		KEY_PAIR_CERTIFICATE, "1024 bits"},
	    {"weird", buf_span(&f->weird.certificate), buf_span(&f->weird.private),
		KEY_PAIR_CERTIFICATE, "clients do not know"},
	    {"locked", ec, span_str(locked), KEY_PAIR_KEY, "pass phrase"},
	    {"cut", span_make(cut, ec.len), key, KEY_PAIR_CERTIFICATE, "no certificate"},
	    {"many", span_make(many, 12 * ec.len), key, KEY_PAIR_CERTIFICATE, "more than 10"},
	};

	cut[ec.len / 2] = '\0';
	for (size_t i = 0; i < 12; i++)
		memcpy(many + i * ec.len, ec.p, ec.len);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum key_pair_file file;
		struct key_pair p;
		struct buf why;

		buf_init(&why, 1024);
		check_row(rows[i].name,
		    key_pair_parse(rows[i].certificate, rows[i].key, &p, &file, &why) != 0);
		check_row(rows[i].name, file == rows[i].file);
		if (strstr(buf_str(&why), rows[i].why) == NULL)
			fail_msg("%s: %s", rows[i].name, buf_str(&why));
		check_row(rows[i].name, p.leaf == NULL && p.key == NULL);
		check_row(rows[i].name, ERR_peek_error() == 0);
		buf_release(&why);
	}
	free(cut);
	free(many);
}

/* A renewed certificate for the same key is another pair; so is one with another chain. */
static void
an_id_for_each_version(void **state)
{
	struct fixture *f = *state;
	struct key_pair one, chained, again;
	enum key_pair_file file;
	struct buf why, text;

	buf_init(&why, 1024);
	buf_init(&text, 1U << 20);
	buf_add_span(&text, buf_span(&f->ec.certificate));
	buf_add_span(&text, buf_span(&f->rsa.certificate));
	assert_int_equal(key_pair_parse(buf_span(&f->ec.certificate), buf_span(&f->ec.private),
			     &one, &file, &why),
	    0);
	assert_int_equal(
	    key_pair_parse(buf_span(&text), buf_span(&f->ec.private), &chained, &file, &why),
	    0);
	assert_int_equal(sk_X509_num(chained.chain), 1);
	assert_string_not_equal(one.id, chained.id);
	buf_clear(&text);
	assert_int_equal(key_pair_format(&chained, &text), 0);
	assert_int_equal(key_pair_parse_certificate(buf_span(&text), &again, &why), 0);
	assert_string_equal(again.id, chained.id);
	assert_null(again.key);
	key_pair_release(&again);
	key_pair_release(&one);
	key_pair_release(&chained);
	buf_release(&why);
	buf_release(&text);
}

static void
knows_names_and_time(void **state)
{
	static const struct {
		const char *name;
		bool covered;
	} rows[] = {{"mx.test", true}, {"MX.test", true}, {"a.wild.test", true},
	    {"a.b.wild.test", false}, {"wild.test", false}, {"test", false}, {"", false},
	    {"amx.test", false}};
	struct fixture *f = *state;
	struct key_pair p;
	enum key_pair_file file;
	struct buf why;

	buf_init(&why, 1024);
	assert_int_equal(key_pair_parse(buf_span(&f->ec.certificate), buf_span(&f->ec.private),
			     &p, &file, &why),
	    0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(rows[i].name,
		    key_pair_covers(&p, span_str(rows[i].name)) == rows[i].covered);
	assert_true(key_pair_is_of(&p, span_str("mx.test")));
	assert_true(key_pair_is_of(&p, span_str("test")));
	assert_true(key_pair_is_of(&p, span_str("Wild.test")));
	assert_false(key_pair_is_of(&p, span_str("x.test")));
	assert_false(key_pair_is_of(&p, span_str("est")));
	assert_false(key_pair_is_of(&p, span_str("a.mx.test")));
	/* CVE-2009-2408: a NUL is no end of a name. */
	assert_false(key_pair_covers(&p, span_make("mx.test\0.evil.test", 18)));
	key_pair_release(&p);
	assert_int_equal(key_pair_parse(buf_span(&f->rsa.certificate),
			     buf_span(&f->rsa.private), &p, &file, &why),
	    0);
	assert_false(key_pair_is_timely(&p, clock_wall(), NULL));
	key_pair_release(&p);
	buf_release(&why);
}

static void
the_term_and_how_far_it_is(void **state)
{
	static const int64_t day = 86400;
	const struct {
		const char *name;
		int64_t after; /* the beginning */
		enum key_pair_term want;
		const char *text;
	} rows[] = {
	    {"begins", 0, KEY_PAIR_VALID, ""},
	    {"valid", 86 * day - 1, KEY_PAIR_VALID, ""},
	    {"a fortnight left", 86 * day, KEY_PAIR_ENDS_SOON,
		"the certificate expires in 14 days, on 2020-04-10T00:00:00Z"},
	    {"a day left", 99 * day, KEY_PAIR_ENDS_SOON,
		"the certificate expires in 1 day, on 2020-04-10T00:00:00Z"},
	    {"two hours left", 100 * day - 7201, KEY_PAIR_ENDS_SOON,
		"the certificate expires in 2 hours, on 2020-04-10T00:00:00Z"},
	    {"over", 100 * day, KEY_PAIR_ENDED,
		"the certificate has expired 0 seconds ago, on 2020-04-10T00:00:00Z"},
	    {"long over", 103 * day + 5, KEY_PAIR_ENDED,
		"the certificate has expired 3 days ago, on 2020-04-10T00:00:00Z"},
	    {"to come", -60, KEY_PAIR_NOT_YET,
		"the certificate is not valid yet, but in 1 minute, from 2020-01-01T00:00:00Z "
		"on"},
	};
	const int64_t from = 1577836800; /* 2020 */
	struct certificate c;
	struct key_pair p = {.leaf = NULL};
	char text[KEY_PAIR_TERM_SIZE];
	int64_t begins = 0;

	(void)state;
	certificate_make(&c, "EC:P-256", "a.test", -1, 30, NULL);
	p.leaf = X509_dup(c.x);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(p.leaf), from));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(p.leaf), from + 100 * day));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t now = from + rows[i].after;
		bool timely =
		    rows[i].want == KEY_PAIR_VALID || rows[i].want == KEY_PAIR_ENDS_SOON;

		check_row(rows[i].name, key_pair_term(&p, now, text) == rows[i].want);
		assert_string_equal(text, rows[i].text);
		check_row(rows[i].name, key_pair_is_timely(&p, now, &begins) == timely);
		assert_int_equal(begins, from);
	}
	key_pair_release(&p);
	certificate_release(&c);
}

#define SPACES "                                                                "
#define HASH   "0123456789abcdef0123456789abcdef"

static const char verify13[] = SPACES "TLS 1.3, server CertificateVerify\0" HASH;

static struct span
exchange12(char out[128])
{
	memset(out, 'r', 128);
	memcpy(out + 64, "\x03\x00\x1d\x20", 4);
	return span_make(out, 64 + 4 + 32);
}

static void
signs_handshakes_alone(void **state)
{
	char text[128];
	struct span good = exchange12(text), s13 = LITERAL(verify13);

	(void)state;
	assert_true(key_sign_is_handshake(good));
	assert_true(key_sign_is_handshake(s13));
	assert_false(key_sign_is_handshake(span_first(s13, s13.len - 1)));
	assert_false(key_sign_is_handshake(span_skip(s13, 1)));
	assert_false(
	    key_sign_is_handshake(LITERAL(SPACES "TLS 1.3, client CertificateVerify\0" HASH)));
	for (size_t i = 0; i < good.len; i++)
		assert_false(key_sign_is_handshake(span_first(good, i)));
	for (size_t i = 0; i < s13.len; i++)
		assert_false(key_sign_is_handshake(span_first(s13, i)));
	text[64] = 1; /* explicit curve */
	assert_false(key_sign_is_handshake(good));
	assert_false(key_sign_is_handshake(LITERAL("anything else")));
}

static bool
verifies(EVP_PKEY *key, const char *digest, bool pss, struct span m, const unsigned char *sig,
    size_t len)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *k;
	bool ok = EVP_DigestVerifyInit_ex(
		      c, &k, *digest != '\0' ? digest : NULL, NULL, NULL, key, NULL) == 1;

	if (ok && pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(k, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(k, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && EVP_DigestVerify(c, sig, len, (const unsigned char *)m.p, m.len) == 1;
	EVP_MD_CTX_free(c);
	return ok;
}

static void
signs_as_asked(void **state)
{
	static const struct {
		const char *kind, *digest;
		bool pss, works;
	} rows[] = {
	    {"RSA:2048", "SHA256", false, true},
	    {"RSA:2048", "SHA256", true, true},
	    {"RSA:2048", "SHA512", true, true},
	    {"RSA:2048", "", false, false},
	    {"RSA:2048", "MD5", false, false},
	    {"RSA:2048", "SHA1", false, false},
	    {"EC:P-256", "SHA256", false, true},
	    {"EC:P-384", "SHA384", false, true},
	    {"EC:P-256", "SHA256", true, false},
	    {"EC:P-256", "", false, false},
	    {"ED25519", "", false, true},
	    {"ED25519", "SHA256", false, false},
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		EVP_PKEY *key = certificate_key(rows[i].kind);
		struct span both[] = {LITERAL(verify13), exchange12(text)};
		unsigned char out[KEY_SIGN_MAX];
		size_t len;

		for (size_t j = 0; j < 2; j++) {
			int r = key_sign(
			    key, span_str(rows[i].digest), rows[i].pss, both[j], out, &len);

			check_row(rows[i].kind, (r == 0) == rows[i].works);
			check_row(rows[i].kind, r != 0 || verifies(key, rows[i].digest,
							      rows[i].pss, both[j], out, len));
		}
		check_row(rows[i].kind, key_sign(key, span_str(rows[i].digest), rows[i].pss,
					    LITERAL("a mail"), out, &len) != 0);
		EVP_PKEY_free(key);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_what_clients_know),
	    cmocka_unit_test(says_what_is_wrong),
	    cmocka_unit_test(an_id_for_each_version),
	    cmocka_unit_test(knows_names_and_time),
	    cmocka_unit_test(the_term_and_how_far_it_is),
	    cmocka_unit_test(signs_handshakes_alone),
	    cmocka_unit_test(signs_as_asked),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
