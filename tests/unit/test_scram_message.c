/* test_scram_message: what clients of SCRAM say, and what is none of it. */
#include "smtpd/scram_message.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"
#include "tests/unit/testing.h"

static void
takes_first_messages_apart(void **state)
{
	static const struct {
		const char *message, *header, *binding, *authzid, *user, *nonce;
	} rows[] = {
	    {"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "n,,", "", "", "user", "rOprNGfwEbeRWgbNEkqO"},
	    {"y,,n=user,r=a", "y,,", "", "", "user", "a"},
	    {"p=tls-exporter,,n=u@a.test,r=a", "p=tls-exporter,,", "tls-exporter", "",
		"u@a.test", "a"},
	    {"n,a=x,n=user,r=a,z=1,Y=2", "n,a=x,", "", "x", "user", "a"},
	    {"n,,n=,r=a", "n,,", "", "", "", "a"},
	    {"n,,n=u=2C=3D,r=~!#", "n,,", "", "", "u=2C=3D", "~!#"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct scram_first f;

		if (scram_first_parse(span_str(rows[i].message), &f) != 0)
			fail_msg("%s was refused", rows[i].message);
		assert_true(span_is(f.header, rows[i].header));
		assert_int_equal(f.flag, rows[i].message[0]);
		assert_true(span_is(f.binding, rows[i].binding));
		assert_true(span_is(f.authzid, rows[i].authzid));
		assert_true(span_is(f.user, rows[i].user));
		assert_true(span_is(f.nonce, rows[i].nonce));
		assert_string_equal(f.bare.p, rows[i].message + strlen(rows[i].header));
	}
}

static void
refuses_other_first_messages(void **state)
{
	static const char *const rows[] = {"", "n", "n,", "n,,", "n,,n=user", "n,,r=a,n=user",
	    "n,,n=user,r=", "n,,n=user,r=a b", "n,,n=user,r=a\x7f", "x,,n=user,r=a",
	    "p=,,n=user,r=a", "p,,n=user,r=a", "nn,,n=user,r=a", "n,b=x,n=user,r=a",
	    "n,a=,n=user,r=a", "n,,m=x,n=user,r=a", "n,,n=user,r=a,m=x", "n,,n=user,r=a,",
	    "n,,n=user,r=a,zz", "n,,n=user,r=a,1=x", "n,,n=\xff,r=a", "n,,n=a\nb,r=a",
	    "n,,n=user,r=\xc3\xa4", "n,n=user,r=a"};
	char *longer = xasprintf("n,,n=user,r=%0300d", 1);
	struct scram_first f;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (scram_first_parse(span_str(rows[i]), &f) == 0)
			fail_msg("%s was taken", rows[i]);
	assert_int_equal(scram_first_parse(span_str(longer), &f), -1);
	free(longer);
	longer = xasprintf("n,,n=%01100d,r=a", 1);
	assert_int_equal(scram_first_parse(span_str(longer), &f), -1);
	free(longer);
}

static void
takes_final_messages_apart(void **state)
{
	static const char *const bad[] = {"", "c=biws", "c=biws,r=a", "c=biws,p=AA",
	    "r=a,c=biws,p=AA", "c=,r=a,p=AA", "c=biws,r=,p=AA",
	    "c=biws,r=a,p=", "c=biws,r=a,m=x,p=AA", "c=biws,r=a,p=AA,z=1", "c=biws,r=a,x,p=AA"};
	struct scram_final f;

	(void)state;
	assert_int_equal(scram_final_parse(span_str("c=biws,r=ab,z=1,p=AAAA"), &f), 0);
	assert_true(span_is(f.binding, "biws"));
	assert_true(span_is(f.nonce, "ab"));
	assert_true(span_is(f.proof, "AAAA"));
	assert_true(span_is(f.without_proof, "c=biws,r=ab,z=1"));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (scram_final_parse(span_str(bad[i]), &f) == 0)
			fail_msg("%s was taken", bad[i]);
}

static void
decodes_names(void **state)
{
	static const char *const bad[] = {"", "=", "a=", "a=2", "a=2D", "a==2C=", "=2c="};
	char out[ADDRESS_MAX], *longer = xasprintf("%0321d", 1);
	size_t len;

	(void)state;
	assert_int_equal(scram_name_decode(span_str("a=2Cb=3Dc=2c=3d@x"), out, &len), 0);
	assert_true(span_is(span_make(out, len), "a,b=c,=@x"));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (scram_name_decode(span_str(bad[i]), out, &len) == 0)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(scram_name_decode(span_str(longer), out, &len), -1);
	assert_int_equal(scram_name_decode(span_str(longer + 1), out, &len), 0);
	free(longer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(takes_first_messages_apart),
	    cmocka_unit_test(refuses_other_first_messages),
	    cmocka_unit_test(takes_final_messages_apart),
	    cmocka_unit_test(decodes_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
