/* test_nfc: normalization form C of local parts (UAX #15, RFC 6531 3.3). */
#include "common/nfc.h"

#include <string.h>

#include "tests/unit/testing.h"

/* u and a combining diaeresis; the letter they are */
#define TWO "u\xcc\x88"
#define ONE "\xc3\xbc"

static void
brings_to_form_c(void **state)
{
	static const struct {
		const char *name, *in, *want; /* want NULL: refused */
	} rows[] = {
	    {"empty", "", ""},
	    {"ASCII", "bob.smith+x", "bob.smith+x"},
	    {"composed", "m" ONE "ller", "m" ONE "ller"},
	    {"decomposed", "m" TWO "ller", "m" ONE "ller"},
	    {"both", TWO "-" ONE "." TWO, ONE "-" ONE "." ONE},
	    {"two marks in the other order", "a\xcc\x88\xcc\xa3", "\xe1\xba\xa1\xcc\x88"},
	    {"jamo", "\xe1\x84\x80\xe1\x85\xa1", "\xea\xb0\x80"},
	    {"excluded from composition", "\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc"},
	    {"capital, composed", "M\xc3\x9cLLER", "M\xc3\x9cLLER"},
	    {"capital before a decomposed letter", "M" TWO "ller", "M" ONE "ller"},
	    {"capital, decomposed: no letter of IDNA", "MU\xcc\x88LLER", NULL},
	    {"Angstrom sign: another letter in form C", "\xe2\x84\xab", NULL},
	    {"emoji", "\xf0\x9f\x92\xa9", "\xf0\x9f\x92\xa9"},
	    {"Cyrillic", "\xd0\xba\xd0\xb2\xd1\x96\xd1\x82\xd0\xbe\xd1\x87\xd0\xba\xd0\xb0",
		"\xd0\xba\xd0\xb2\xd1\x96\xd1\x82\xd0\xbe\xd1\x87\xd0\xba\xd0\xb0"},
	    {"a quoted one", "\"" TWO " x\"", "\"" ONE " x\""},
	};
	char out[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct span in = span_str(rows[i].in);
		int r = nfc_format(in, out, sizeof out, &n);

		check_row(rows[i].name, r == (rows[i].want != NULL ? 0 : -1));
		if (r == 0)
			check_row(rows[i].name, span_is(span_make(out, n), rows[i].want));
	}
}

static void
says_what_does_not_fit(void **state)
{
	static const char in[] = "\xe0\xa5\x98" /* three octets, six in form C */
				 "abc";
	char out[9];
	size_t n;

	(void)state;
	assert_int_equal(nfc_format(span_str(in), out, 9, &n), 0);
	assert_int_equal(n, 9);
	assert_int_equal(nfc_format(span_str(in), out, 8, &n), -1);
	assert_int_equal(nfc_format(span_str(in), out, 5, &n), -1);
	assert_int_equal(nfc_format(span_str("abc"), out, 2, &n), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(brings_to_form_c),
	    cmocka_unit_test(says_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
