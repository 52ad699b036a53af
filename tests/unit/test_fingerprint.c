/* test_fingerprint: how people write a SHA-256, and what is none. */
#include "conf/fingerprint.h"

#include "tests/unit/testing.h"

#define HALF "0123456789abcdef0123456789abcdef"

static void
what_is_taken(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
	} rows[] = {
	    {HALF HALF, HALF HALF},
	    {"0123456789ABCDEF0123456789abcdef" HALF, HALF HALF},
	    {"01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:"
	     "01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef",
		HALF HALF},
	    {"", NULL},
	    {HALF, NULL},
	    {HALF HALF "0", NULL},
	    {HALF "0123456789abcdef0123456789abcdeg", NULL},
	    {"01-23-45-67-89-AB-CD-EF-01-23-45-67-89-AB-CD-EF-"
	     "01-23-45-67-89-ab-cd-ef-01-23-45-67-89-ab-cd-ef",
		NULL},
	    {"01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:"
	     "01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:e:",
		NULL},
	    {":" HALF "0123456789abcdef0123456789abcde", NULL},
	};
	char out[FINGERPRINT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int r = fingerprint_parse(span_str(rows[i].text), out);

		check_row(rows[i].text, (r == 0) == (rows[i].want != NULL));
		if (r == 0)
			assert_string_equal(out, rows[i].want);
	}
	/* A NUL is no digit. */
	assert_int_equal(
	    fingerprint_parse(span_make(HALF "0123456789abcdef0123456789abcde\0", 64), out),
	    -1);
}

static void
what_is_written(void **state)
{
	unsigned char digest[32];
	char out[FINGERPRINT_SIZE], again[FINGERPRINT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof digest; i++)
		digest[i] = (unsigned char)(i * 37);
	fingerprint_format(digest, out);
	assert_int_equal(strlen(out), 64);
	assert_int_equal(strncmp(out, "00254a6f", 8), 0);
	assert_int_equal(fingerprint_parse(span_str(out), again), 0);
	assert_string_equal(out, again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_taken),
	    cmocka_unit_test(what_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
