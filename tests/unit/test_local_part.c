/* test_local_part: the one form of a local part, from what stands on the wire and from its plain text. */
#include "common/local_part.h"

#include "tests/unit/testing.h"

#define SIXTY "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"

static void
formats_plain_text(void **state)
{
	static const struct {
		struct span plain;
		const char *want; /* NULL: there is no such local part */
	} rows[] = {
	    {LITERAL_INIT("bob"), "bob"},
	    {LITERAL_INIT("Bob.Brown+x"), "Bob.Brown+x"},
	    {LITERAL_INIT("any+*"), "any+*"},
	    {LITERAL_INIT(""), "\"\""},
	    {LITERAL_INIT("a b"), "\"a b\""},
	    {LITERAL_INIT("a@b"), "\"a@b\""},
	    {LITERAL_INIT(".a"), "\".a\""},
	    {LITERAL_INIT("a."), "\"a.\""},
	    {LITERAL_INIT("a..b"), "\"a..b\""},
	    {LITERAL_INIT("\""), "\"\\\"\""},
	    {LITERAL_INIT("\"bob\""), "\"\\\"bob\\\"\""},
	    {LITERAL_INIT("a\\b"), "\"a\\\\b\""},
	    {LITERAL_INIT("\\"), "\"\\\\\""},
	    {LITERAL_INIT("m\xc3\xbcller"), "m\xc3\xbcller"},
	    {LITERAL_INIT("mu\xcc\x88ller"), "m\xc3\xbcller"},
	    {LITERAL_INIT("u\xcc\x88 x"), "\"\xc3\xbc x\""},
	    {LITERAL_INIT("a\nb"), NULL},
	    {LITERAL_INIT("a\0b"), NULL},
	    {LITERAL_INIT("a\x7f"), NULL},
	    {LITERAL_INIT("a\xc3"), NULL},
	    {LITERAL_INIT("a b\xff"), NULL},
	    {LITERAL_INIT("a\xe2\x80\x8b"), NULL}, /* a space without width */
	    {LITERAL_INIT(SIXTY "gggg"), SIXTY "gggg"},
	    {LITERAL_INIT(SIXTY "ggggg"), NULL},
	    {LITERAL_INIT(SIXTY " g"), "\"" SIXTY " g\""},
	    {LITERAL_INIT(SIXTY " gg"), NULL},
	    {LITERAL_INIT(SIXTY "\\"), "\"" SIXTY "\\\\\""},
	    {LITERAL_INIT(SIXTY "g\\"), NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char out[LOCAL_PART_MAX], again[LOCAL_PART_MAX], name[16];
		const char *why = NULL;
		size_t len = 0, n = 0;
		int r = local_part_format(rows[i].plain, out, &len, &why);

		snprintf(name, sizeof name, "row %zu", i);
		check_row(name, r == (rows[i].want != NULL ? 0 : -1));
		check_row(name, r == 0 || why != NULL);
		if (r != 0)
			continue;
		check_row(name, span_is(span_make(out, len), rows[i].want));
		check_row(
		    name, local_part_scan(span_make(out, len), true, NULL) == (ptrdiff_t)len);
		check_row(
		    name, local_part_canonical(span_make(out, len), again, &n, NULL) == 0);
		check_row(name, span_eq(span_make(out, len), span_make(again, n)));
	}
}

static void
says_what_is_wrong(void **state)
{
	char out[LOCAL_PART_MAX];
	const char *why = NULL;
	size_t len;

	(void)state;
	assert_int_equal(local_part_format(span_str(SIXTY " gg"), out, &len, &why), -1);
	assert_string_equal(why, "Local part longer than 64 octets");
	assert_int_equal(local_part_format(span_str(SIXTY SIXTY), out, &len, &why), -1);
	assert_string_equal(why, "Local part longer than 64 octets");
	assert_int_equal(local_part_format(span_str("a b\xff"), out, &len, &why), -1);
	assert_string_equal(why, "Malformed UTF-8 in the local part");
	assert_int_equal(local_part_format(span_str("a\r"), out, &len, &why), -1);
	assert_string_equal(why, "Malformed local part");
	assert_int_equal(local_part_format(span_str("a\r"), out, &len, NULL), -1);
}

/* However it is spelled, and back from its plain text. */
static void
has_one_form(void **state)
{
	static const struct {
		const char *wire, *plain, *want;
	} rows[] = {
	    {"Bob", "Bob", "Bob"},
	    {"\"Bob\"", "Bob", "Bob"},
	    {"\"\\B\\o\\b\"", "Bob", "Bob"},
	    {"\"a b\"", "a b", "\"a b\""},
	    {"\"a\\ b\"", "a b", "\"a b\""},
	    {"\"\\\"\"", "\"", "\"\\\"\""},
	    {"\"\\\\\\@\"", "\\@", "\"\\\\@\""},
	    {"\"\"", "", "\"\""},
	    {"\"m\xc3\xbcller\"", "m\xc3\xbcller", "m\xc3\xbcller"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char plain[LOCAL_PART_MAX], out[LOCAL_PART_MAX];
		struct span wire = span_str(rows[i].wire);
		size_t n, len = 0;

		check_row(
		    rows[i].wire, local_part_scan(wire, true, NULL) == (ptrdiff_t)wire.len);
		n = local_part_unquote(wire, plain);
		check_row(rows[i].wire, span_is(span_make(plain, n), rows[i].plain));
		check_row(rows[i].wire, local_part_canonical(wire, out, &len, NULL) == 0);
		check_row(rows[i].wire, span_is(span_make(out, len), rows[i].want));
		check_row(
		    rows[i].wire, local_part_format(span_make(plain, n), out, &len, NULL) == 0);
		check_row(rows[i].wire, span_is(span_make(out, len), rows[i].want));
	}
}

/* It ends where the address goes on. */
static void
finds_its_end(void **state)
{
	static const struct {
		const char *in;
		bool utf8;
		ptrdiff_t want;
	} rows[] = {
	    {"bob@x", false, 3},
	    {"bob", false, 3},
	    {"\"a@b\"@x", false, 5},
	    {"\"a\\\"@b\"@x", false, 7},
	    {"m\xc3\xbc@x", true, 3},
	    {"m\xc3\xbc@x", false, -1},
	    {"\"m\xc3\xbc\"@x", false, -1},
	    {"", false, -1},
	    {"@x", false, -1},
	    {"a b@x", false, -1},
	    {"\"a", false, -1},
	    {"\"a\\", false, -1},
	    {SIXTY "gggg@x", false, 64},
	    {SIXTY "ggggg@x", false, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(rows[i].in,
		    local_part_scan(span_str(rows[i].in), rows[i].utf8, NULL) == rows[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(formats_plain_text),
	    cmocka_unit_test(says_what_is_wrong),
	    cmocka_unit_test(has_one_form),
	    cmocka_unit_test(finds_its_end),
	};

	return cmocka_run_group_tests_name("local_part", tests, NULL, NULL);
}
