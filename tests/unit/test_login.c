/* test_login: what a client's responses of AUTH say. */
#include "smtpd/login.h"

#include <string.h>

#include "common/xalloc.h"
#include "tests/unit/testing.h"

static void
takes_responses(void **state)
{
	static const struct {
		enum login_mechanism mechanism;
		const char *first, *second; /* base64 */
		enum login_step want;
		const char *user, *password;
	} rows[] = {
	    {LOGIN_PLAIN, "AGFsaWNlQGEudGVzdABzM2NyZXQ=", NULL, LOGIN_READY, "alice@a.test",
		"s3cret"},
	    {LOGIN_PLAIN, "YWxpY2VAYS50ZXN0AGFsaWNlQGEudGVzdABzM2NyZXQ=", NULL, LOGIN_READY,
		"alice@a.test", "s3cret"},
	    /* to act for bob@a.test */
	    {LOGIN_PLAIN, "Ym9iQGEudGVzdABhbGljZUBhLnRlc3QAczNjcmV0", NULL, LOGIN_FAILS, NULL,
		NULL},
	    {LOGIN_PLAIN, "", NULL, LOGIN_WRONG, NULL, NULL},
	    {LOGIN_PLAIN, "=", NULL, LOGIN_WRONG, NULL, NULL},
	    {LOGIN_PLAIN, "!!!!", NULL, LOGIN_WRONG, NULL, NULL},
	    {LOGIN_PLAIN, "YWxpY2U=", NULL, LOGIN_WRONG, NULL, NULL}, /* no NUL */
	    {LOGIN_PLAIN, "AGEAYgBj", NULL, LOGIN_WRONG, NULL, NULL}, /* three */
	    {LOGIN_PLAIN, "AGFsaWNlQGEudGVzdAA=", NULL, LOGIN_FAILS, NULL,
		NULL},						      /* no password */
	    {LOGIN_PLAIN, "AAB4", NULL, LOGIN_FAILS, NULL, NULL},     /* no user */
	    {LOGIN_PLAIN, "AP8A/w==", NULL, LOGIN_FAILS, NULL, NULL}, /* no UTF-8 */
	    {LOGIN_PLAIN, "AGEKYgB4", NULL, LOGIN_FAILS, NULL, NULL}, /* a line end */
	    {LOGIN_LOGIN, "YWxpY2VAYS50ZXN0", "czNjcmV0", LOGIN_READY, "alice@a.test",
		"s3cret"},
	    {LOGIN_LOGIN, "YWxpY2VAYS50ZXN0", "", LOGIN_FAILS, NULL, NULL},
	    {LOGIN_LOGIN, "", "czNjcmV0", LOGIN_READY, "", "s3cret"},
	    {LOGIN_LOGIN, "YWxpY2VAYS50ZXN0", "!!", LOGIN_WRONG, NULL, NULL},
	    {LOGIN_LOGIN, "!!", NULL, LOGIN_WRONG, NULL, NULL},
	    {LOGIN_LOGIN, "YWxpY2VAYS50ZXN0", "YQBi", LOGIN_FAILS, NULL, NULL}, /* a NUL */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct login *l = xcalloc(1, sizeof *l);
		enum login_step got;

		l->mechanism = rows[i].mechanism;
		got = login_take(l, span_str(rows[i].first));
		if (rows[i].second != NULL) {
			assert_int_equal(got, LOGIN_MORE);
			got = login_take(l, span_str(rows[i].second));
		}
		if (got != rows[i].want)
			fail_msg("%s: got %d, want %d", rows[i].first, got, rows[i].want);
		if (got == LOGIN_READY) {
			assert_true(span_is(span_make(l->user, l->user_len), rows[i].user));
			assert_true(
			    span_is(span_make(l->password, l->password_len), rows[i].password));
		}
		login_free(&l);
		assert_null(l);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(takes_responses)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
