/* test_password_hash: which stored passwords are understood, and which password fits. */
#include "conf/password_hash.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "tests/unit/testing.h"

/* All of "s3cret"; made by libcrypt and by Python's hashlib. */
static const char *const good[] = {
    "$y$j9T$abcdefghijklmnopqrstu/$FGPXz4jT9O.Ux49b7rJU6ozPnWkvhlq.Tscqa8VZr.2",
    "$gy$j9T$abcdefghijklmnopqrstu/$XRmnn128rIxB1ZhuHOT4jlxVv/sdgFimsLZes0j8fI8",
    "$2b$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK",
    "$6$testsalt$8EJEYbCTvR4hSzCdTvQT/K8P.3TJR68UkZLxdIWRZQnPByfqX99x/"
    "EU0EuVP2FaZTMKaz0PbVRpkcfhMU9.rr/",
    "$6$rounds=5000$testsalt$8EJEYbCTvR4hSzCdTvQT/K8P.3TJR68UkZLxdIWRZQnPByfqX99x/"
    "EU0EuVP2FaZTMKaz0PbVRpkcfhMU9.rr/",
    "$5$testsalt$VdEWk3F6aQog1KI6dDDOmfymfCymyPTi5PoaWlVuZF0",
    "{CRYPT}$5$testsalt$VdEWk3F6aQog1KI6dDDOmfymfCymyPTi5PoaWlVuZF0",
    "{sha256-crypt}$5$testsalt$VdEWk3F6aQog1KI6dDDOmfymfCymyPTi5PoaWlVuZF0",
    "{BLF-CRYPT}$2b$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK",
    "{MD5-CRYPT}$1$testsalt$2y5z4UH0v5w5ZpauToVsV/",
    "{DES-CRYPT}abhWCwoTZY2c6",
    "{PLAIN}s3cret",
    "{CLEARTEXT}s3cret",
    "{SSHA}/E1l+cHA9/sxcS5MD8umnjm1FX9zYWx0c2FsdA==",
    "{SSHA256}sAzsU8Qoxm5ho6tVXeaXOHmm9FGI3gmOAbwalAdL5BlzYWx0c2FsdA==",
    "{SSHA512}8me3HaYO7C+Bo5xRmJkGYMQkWTurNq21pKGy5Bv6Bv9QsRDztLx7tYWSVSYdtNV3XTQhZrF0+"
    "qnJFVg6YJUVMHNhbHRzYWx0",
    "{SCRAM-SHA-256}4096,c2FsdHNhbHQ=,OTf6LywAjSp/02R7Ja5JwIjN6rffQwD2oTC9mr1ZB6U=,"
    "F9Ay1fPITDy1q6BGuIDKVDKofkxceT8JMU4ZgP2wMw4=",
};

static bool
fits(const char *stored, const char *password)
{
	return password_hash_verify(span_str(stored), span_str(password));
}

static void
tells_right_from_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		if (!fits(good[i], "s3cret"))
			fail_msg("%s: the password is refused", good[i]);
		if (fits(good[i], "s3creT") || fits(good[i], "") || fits(good[i], "s3cret "))
			fail_msg("%s: another password is taken", good[i]);
		assert_int_not_equal(
		    password_hash_form(span_str(good[i]), NULL), PASSWORD_UNKNOWN);
	}
	assert_false(password_hash_verify(
	    span_str("{PLAIN}s3cret"), span_make("s3cret\0x", sizeof "s3cret\0x" - 1)));
}

static void
keeps_the_disabled_out(void **state)
{
	static const char *const rows[] = {"", "x", "*", "!", "!!", "*LK*",
	    "!$5$testsalt$VdEWk3F6aQog1KI6dDDOmfymfCymyPTi5PoaWlVuZF0"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(
		    password_hash_form(span_str(rows[i]), NULL), PASSWORD_DISABLED);
		assert_false(fits(rows[i], "s3cret"));
		assert_false(fits(rows[i], rows[i]));
	}
}

/* No form, too old unless said, or a cost with which the owner of one domain would stop all others' logins. */
static void
knows_what_it_does_not_take(void **state)
{
	static const char *const rows[] = {"s3cret", "abhWCwoTZY2c6",
	    "$1$testsalt$2y5z4UH0v5w5ZpauToVsV/", "{CRYPT}$1$testsalt$2y5z4UH0v5w5ZpauToVsV/",
	    "{CRYPT}abhWCwoTZY2c6", "{MD4}s3cret", "{", "{PLAIN", "{SHA512-CRYPT}s3cret",
	    "{DES-CRYPT}s3cret",
	    "{BLF-CRYPT}$2b$31$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK",
	    "$2b$31$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK",
	    "$6$rounds=999999999$testsalt$x", "$6$rounds=$testsalt$x",
	    "$y$jzT$abcdefghijklmnopqrstu/$x", "$y$jCT$abcdefghijklmnopqrstu/$x",
	    "$gy$jDT$abcdefghijklmnopqrstu/$x", "$y$j9z$abcdefghijklmnopqrstu/$x",
	    "$y$j9T5/$abcdefghijklmnopqrstu/$x", "$y$", "$2b$", "$7$DU..../....x", "{SSHA}",
	    "{SSHA}xx", "{SSHA}AAAA", "{SSHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	    "{SSHA256}/E1l+cHA9/sxcS5MD8umnjm1FX9zYWx0c2FsdA==", "{SSHA512}!!!!", "{PLAIN}"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (password_hash_form(span_str(rows[i]), NULL) != PASSWORD_UNKNOWN)
			fail_msg("%s counts as known", rows[i]);
		assert_false(fits(rows[i], "s3cret"));
	}
}

static void
survives_what_is_broken(void **state)
{
	static const char *const rows[] = {"$6$", "$5$rounds=5000", "$6$testsalt$", "$2b$05$",
	    "$2b$05$!!!!", "$y$j9T$", "{SSHA}", "{SSHA}AAAA", "{SSHA512}!!!!",
	    "{SCRAM-SHA-256}", "{SCRAM-SHA-256}4096", "{SCRAM-SHA-256}4096,,,",
	    "{SCRAM-SHA-256}0,c2FsdA==,AAAA,AAAA",
	    "{SCRAM-SHA-256}999999999,c2FsdA==,AAAA,AAAA", "{PLAIN}",
	    "{DES-CRYPT}************"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_false(fits(rows[i], "s3cret"));
}

static void
bounds_what_it_hashes(void **state)
{
	char *stored = xasprintf("{PLAIN}%0400d", 7), *word = xasprintf("%01025d", 7);

	(void)state;
	assert_true(fits(stored, stored + 7));
	assert_false(fits(stored, word));
	free(stored);
	stored = xasprintf("{PLAIN}%0600d", 7);
	assert_int_equal(password_hash_form(span_str(stored), NULL), PASSWORD_UNKNOWN);
	free(stored);
	free(word);
}

/* It must cost what others cost: libcrypt has to understand it. */
static void
has_a_dummy_that_costs(void **state)
{
	struct crypt_data *data = xcalloc(1, sizeof *data);
	const char *made = crypt_rn("s3cret", PASSWORD_DUMMY, data, sizeof *data);

	(void)state;
	assert_non_null(made);
	assert_int_equal(strlen(made), strlen(PASSWORD_DUMMY));
	assert_int_equal(password_hash_form(span_str(PASSWORD_DUMMY), NULL), PASSWORD_CRYPT);
	assert_false(fits(PASSWORD_DUMMY, "s3cret"));
	assert_false(password_hash_is_cheap(PASSWORD_CRYPT));
	assert_true(password_hash_is_cheap(PASSWORD_PLAIN));
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tells_right_from_wrong),
	    cmocka_unit_test(keeps_the_disabled_out),
	    cmocka_unit_test(knows_what_it_does_not_take),
	    cmocka_unit_test(survives_what_is_broken),
	    cmocka_unit_test(bounds_what_it_hashes),
	    cmocka_unit_test(has_a_dummy_that_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
