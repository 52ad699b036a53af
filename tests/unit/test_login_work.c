/* test_login_work: the work of a login is the same whatever is wrong: hashes are counted. */
#include "conf/login_work.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/testing.h"

#define BCRYPT "$2b$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK"
#define KEYS                                                                                   \
	",c2FsdHNhbHQ=,OTf6LywAjSp/02R7Ja5JwIjN6rffQwD2oTC9mr1ZB6U=,"                          \
	"F9Ay1fPITDy1q6BGuIDKVDKofkxceT8JMU4ZgP2wMw4="

static const unsigned char secret[SCRAM_SECRET_SIZE] = {7};
static char tried[1024]; /* what was hashed, by form */

/* Every password is tried, none but "s3cret" fits, and a crypt hash never is the same as a cheap one. */
static bool
verify(struct span stored, struct span password)
{
	enum password_form form = password_hash_form(stored, NULL);
	size_t n = strlen(tried);

	snprintf(tried + n, sizeof tried - n, "%s ",
	    span_is(stored, PASSWORD_DUMMY) ? "dummy"
	    : form == PASSWORD_CRYPT	    ? "crypt"
	    : form == PASSWORD_SCRAM_SHA256 ? "scram"
					    : "cheap");
	return span_is(password, "s3cret");
}

static void
work(struct login_work *w, const char *stored, bool can, const char *password)
{
	*w = (struct login_work){.use = ACCOUNT_PASSWORD,
	    .account = {.iterations = 4096, .salt_len = 8},
	    .can = can,
	    .secret = secret};
	w->account.stored_len = strlen(stored);
	memcpy(w->account.stored, stored, strlen(stored));
	w->text_len = strlen(password);
	memcpy(w->text, password, strlen(password));
	tried[0] = '\0';
	login_work_run(w, verify);
}

static void
hashes_alike(void **state)
{
	/* What is stored of a user, or of the neighbour who stands in for one who does not exist. */
	static const struct {
		const char *stored, *refused, *taken;
	} rows[] = {
	    {BCRYPT, "crypt ", "crypt "},
	    {PASSWORD_DUMMY, "dummy ", "dummy "},
	    {"{PLAIN}s3cret", "cheap dummy ", "cheap "},
	    {"{SSHA}/E1l+cHA9/sxcS5MD8umnjm1FX9zYWx0c2FsdA==", "cheap dummy ", "cheap "},
	    {"{SCRAM-SHA-256}4096" KEYS, "scram dummy ", "scram "},
	};
	struct login_work w;
	char zeros[LOGIN_TEXT_MAX] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		work(&w, rows[i].stored, true, "wrong");
		assert_false(w.right);
		assert_string_equal(tried, rows[i].refused);
		work(&w, rows[i].stored, false, "wrong");
		assert_false(w.right);
		assert_string_equal(tried, rows[i].refused);
		/* the neighbour's password lets nobody in, and costs as much as any wrong one */
		work(&w, rows[i].stored, false, "s3cret");
		assert_false(w.right);
		assert_string_equal(tried, rows[i].refused);
		work(&w, rows[i].stored, true, "s3cret");
		assert_true(w.right);
		assert_string_equal(tried, rows[i].taken);
		assert_memory_equal(w.text, zeros, sizeof w.text);
	}
}

static void
challenges_alike(void **state)
{
	struct login_work w = {.use = ACCOUNT_SCRAM,
	    .account = {.iterations = 4096, .salt_len = 8},
	    .secret = secret,
	    .name = "a@a.test",
	    .name_len = 8};
	struct scram own, made, again;

	(void)state;
	w.can = true;
	w.account.stored_len = (size_t)snprintf(
	    w.account.stored, sizeof w.account.stored, "{SCRAM-SHA-256}4097" KEYS);
	login_work_challenge(&w, &own);
	assert_int_equal(own.iterations, 4097);
	assert_memory_equal(own.salt, "saltsalt", 8);
	w.can = false; /* what stands there is another's */
	login_work_challenge(&w, &made);
	assert_int_equal(made.iterations, 4096);
	assert_int_equal(made.salt_len, 8);
	assert_memory_not_equal(made.salt, "saltsalt", 8);
	/* a password stored as it is: the same salt as if there were nobody */
	w.can = true;
	w.account.stored_len =
	    (size_t)snprintf(w.account.stored, sizeof w.account.stored, "{PLAIN}s3cret");
	login_work_challenge(&w, &again);
	assert_memory_equal(again.salt, made.salt, 8);
	assert_int_equal(again.iterations, made.iterations);
}

/* A proof is wiped, and one that fits nothing lets nobody in. */
static void
refuses_proofs_alike(void **state)
{
	char zeros[SCRAM_KEY_SIZE] = {0};

	(void)state;
	for (int can = 0; can < 2; can++) {
		struct login_work w = {.use = ACCOUNT_SCRAM,
		    .account = {.iterations = 4096, .salt_len = 8},
		    .can = can == 1,
		    .secret = secret,
		    .text = "message",
		    .text_len = 7,
		    .proof = "0123456789abcdef0123456789abcde",
		    .proof_len = SCRAM_KEY_SIZE};

		w.account.stored_len = (size_t)snprintf(
		    w.account.stored, sizeof w.account.stored, "{SCRAM-SHA-256}4097" KEYS);
		tried[0] = '\0';
		login_work_run(&w, verify);
		assert_false(w.right);
		assert_string_equal(tried, "");
		assert_memory_equal(w.proof, zeros, sizeof zeros);
		assert_memory_not_equal(w.signature, zeros, sizeof zeros);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hashes_alike),
	    cmocka_unit_test(challenges_alike),
	    cmocka_unit_test(refuses_proofs_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
