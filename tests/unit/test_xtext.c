/* test_xtext: what is decoded, and what is refused. */
#include "common/xtext.h"

#include "tests/unit/testing.h"

static const struct {
	const char *text, *octets; /* octets NULL: no xtext */
	bool printable;
} rows[] = {
    {"abc", "abc", true},
    {"a+2Bb+3D", "a+b=", true},
    {"a+20b", "a b", true},
    {"a+0Ab", "a\nb", false},
    {"a+7F", "a\x7f", false},
    {"a+C3+BC", "a\xc3\xbc", false},
    {"a+4", NULL, false},
    {"a+", NULL, false},
    {"a+4g", NULL, false},
    {"a+ab", NULL, false}, /* lower case is none */
    {"a=b", NULL, false},
    {"a b", NULL, false},
    {"a\xc3", NULL, false},
};

static void
decodes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b, again;
		int r;

		buf_init(&b, 100);
		buf_init(&again, 100);
		r = xtext_decode(span_str(rows[i].text), &b);
		check_row(rows[i].text, (r == 0) == (rows[i].octets != NULL));
		check_row(rows[i].text,
		    xtext_is_printable(span_str(rows[i].text), 100) == rows[i].printable);
		if (r == 0) {
			check_row(rows[i].text, span_is(buf_span(&b), rows[i].octets));
			assert_int_equal(xtext_encode(buf_span(&b), &again), 0);
			check_row(rows[i].text, span_is(buf_span(&again), rows[i].text));
		}
		buf_release(&b);
		buf_release(&again);
	}
}

static void
limits_and_nul(void **state)
{
	struct buf b;

	(void)state;
	assert_false(xtext_is_printable(span_str(""), 10));
	assert_true(xtext_is_printable(span_str("0123456789"), 10));
	assert_false(xtext_is_printable(span_str("0123456789a"), 10));
	assert_false(xtext_is_printable(span_str("a+00b"), 10));
	buf_init(&b, 3);
	assert_int_equal(xtext_decode(span_str("a+00b"), &b), 0);
	assert_int_equal(b.len, 3);
	assert_int_equal(b.p[1], '\0');
	assert_int_equal(xtext_decode(span_str("x"), &b), -1);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decodes),
	    cmocka_unit_test(limits_and_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
