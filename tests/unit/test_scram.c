/* test_scram: SCRAM-SHA-256 with the exchange of RFC 7677 3, and salts that are made up. */
#include "conf/scram.h"

#include <string.h>

#include "common/base64.h"
#include "tests/unit/testing.h"

#define MESSAGE                                                                                \
	"n=user,r=rOprNGfwEbeRWgbNEkqO,"                                                       \
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i="   \
	"4096,"                                                                                \
	"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define PROOF	  "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SIGNATURE "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct span
octets(const char *base64, struct buf *out)
{
	buf_init(out, 256);
	assert_int_equal(base64_decode(span_str(base64), out), 0);
	return buf_span(out);
}

static void
derive(struct scram *s, const char *salt, uint32_t iterations, const char *password)
{
	struct buf b;
	struct span o = octets(salt, &b);

	*s = (struct scram){.iterations = iterations, .salt_len = o.len};
	memcpy(s->salt, o.p, o.len);
	scram_derive(s, span_str(password));
	buf_release(&b);
}

static void
plays_the_exchange_of_rfc7677(void **state)
{
	unsigned char signature[SCRAM_KEY_SIZE];
	struct buf proof, want;
	struct scram s;

	(void)state;
	derive(&s, "W22ZaJ0SNY7soEsUEjb6gQ==", 4096, "pencil");
	assert_true(scram_verify(&s, span_str(MESSAGE), octets(PROOF, &proof), signature));
	assert_memory_equal(signature, octets(SIGNATURE, &want).p, sizeof signature);
	assert_false(scram_verify(&s, span_str(MESSAGE "x"), buf_span(&proof), signature));
	proof.p[3] ^= 1;
	assert_false(scram_verify(&s, span_str(MESSAGE), buf_span(&proof), signature));
	proof.p[3] ^= 1;
	assert_false(
	    scram_verify(&s, span_str(MESSAGE), span_first(buf_span(&proof), 31), signature));
	assert_false(scram_verify(&s, span_str(MESSAGE), span_str(""), signature));
	buf_add_char(&proof, '\0');
	assert_false(scram_verify(&s, span_str(MESSAGE), buf_span(&proof), signature));
	derive(&s, "W22ZaJ0SNY7soEsUEjb6gQ==", 4096, "Pencil");
	assert_false(
	    scram_verify(&s, span_str(MESSAGE), span_first(buf_span(&proof), 32), signature));
	buf_release(&proof);
	buf_release(&want);
}

static void
reads_what_it_writes(void **state)
{
	static const char *const bad[] = {"", "4096", "4096,,,", "4096,AAAA,AAAA,AAAA",
	    "0,c2FsdHNhbHQ=,OTf6LywAjSp/02R7Ja5JwIjN6rffQwD2oTC9mr1ZB6U=,"
	    "F9Ay1fPITDy1q6BGuIDKVDKofkxceT8JMU4ZgP2wMw4=",
	    "2000001,c2FsdHNhbHQ=,OTf6LywAjSp/02R7Ja5JwIjN6rffQwD2oTC9mr1ZB6U=,"
	    "F9Ay1fPITDy1q6BGuIDKVDKofkxceT8JMU4ZgP2wMw4=",
	    "4096,,OTf6LywAjSp/02R7Ja5JwIjN6rffQwD2oTC9mr1ZB6U=,"
	    "F9Ay1fPITDy1q6BGuIDKVDKofkxceT8JMU4ZgP2wMw4=",
	    "4096,c2FsdHNhbHQ=,OTf6LywAjSp/02R7Ja5JwIjN6rffQwD2oTC9mr1ZB6U=,"
	    "F9Ay1fPITDy1q6BGuIDKVDKofkxceT8JMU4ZgP2wMw4=,"};
	struct scram s, again;
	struct buf text;

	(void)state;
	derive(&s, "c2FsdHNhbHQ=", 4096, "s3cret");
	buf_init(&text, 512);
	assert_int_equal(scram_format(&s, &text), 0);
	assert_string_equal(buf_str(&text),
	    "4096,c2FsdHNhbHQ=,OTf6LywAjSp/02R7Ja5JwIjN6rffQwD2oTC9mr1ZB6U=,"
	    "F9Ay1fPITDy1q6BGuIDKVDKofkxceT8JMU4ZgP2wMw4=");
	assert_int_equal(scram_parse(buf_span(&text), &again), 0);
	assert_memory_equal(&s, &again, sizeof s);
	buf_release(&text);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (scram_parse(span_str(bad[i]), &s) == 0)
			fail_msg("%s was taken", bad[i]);
}

static void
makes_up_what_stays(void **state)
{
	unsigned char one[SCRAM_SECRET_SIZE] = {1}, other[SCRAM_SECRET_SIZE] = {2};
	unsigned char signature[SCRAM_KEY_SIZE];
	struct scram a = {.salt_len = SCRAM_SALT_MAX}, b = a, c = a, d = a;

	(void)state;
	scram_make_up(&a, one, span_str("bob@a.test"));
	scram_make_up(&b, one, span_str("bob@a.test"));
	scram_make_up(&c, other, span_str("bob@a.test"));
	scram_make_up(&d, one, span_str("bib@a.test"));
	assert_memory_equal(&a, &b, sizeof a);
	for (size_t i = 0; i + 16 <= SCRAM_SALT_MAX; i += 16) {
		assert_memory_not_equal(a.salt + i, c.salt + i, 16);
		assert_memory_not_equal(a.salt + i, d.salt + i, 16);
		if (i > 0)
			assert_memory_not_equal(a.salt + i, a.salt, 16);
	}
	assert_memory_not_equal(a.salt, a.stored_key, 32);
	assert_false(scram_verify(
	    &a, span_str("x"), span_make(a.stored_key, SCRAM_KEY_SIZE), signature));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plays_the_exchange_of_rfc7677),
	    cmocka_unit_test(reads_what_it_writes),
	    cmocka_unit_test(makes_up_what_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
