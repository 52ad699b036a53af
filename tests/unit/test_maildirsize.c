/* test_maildirsize: Maildir++'s file of octets and messages, and sizes in names. */
#include "conf/maildirsize.h"

#include "tests/unit/testing.h"

static void
adds_lines_up(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t limit, octets, messages;
		unsigned lines;
		bool foreign;
	} rows[] = {
	    {"1073741824S\n      734003         12\n", 0, 1073741824, 734003, 12, 1, false},
	    {"1000S,5C\n10 1\n-4 -1\n3 2\n", 0, 1000, 9, 2, 3, true},
	    {"5C\n0 0\n", 0, 0, 0, 0, 1, true},
	    {"\n7 1\n", 0, 0, 7, 1, 1, false},
	    {"1S\n-7 -1\n", 0, 1, 0, 0, 1, false}, /* more taken away than there was */
	    {"1S\n1 1", 0, 1, 1, 1, 1, false},
	    {"", -1, 0, 0, 0, 0, false},
	    {"1000S", -1, 0, 0, 0, 0, false},
	    {"1000S\n", -1, 0, 0, 0, 0, false},
	    {"1000\n1 1\n", -1, 0, 0, 0, 0, false},
	    {"S\n1 1\n", -1, 0, 0, 0, 0, false},
	    {"1000S\n1\n", -1, 0, 0, 0, 0, false},
	    {"1000S\n1 1 1\n", -1, 0, 0, 0, 0, false},
	    {"1000S\n1 x\n", -1, 0, 0, 0, 0, false},
	    {"1000S\n\n", -1, 0, 0, 0, 0, false},
	    {"1000S\n9223372036854775807 1\n", -1, 0, 0, 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct maildirsize m;
		int r = maildirsize_parse(span_str(rows[i].text), &m);

		check_row(rows[i].text, r == rows[i].r);
		if (r == 0)
			check_row(rows[i].text,
			    m.limit == rows[i].limit && m.octets == rows[i].octets &&
				m.messages == rows[i].messages && m.lines == rows[i].lines &&
				m.foreign == rows[i].foreign);
	}
}

static void
is_read_as_written(void **state)
{
	struct maildirsize m;
	struct buf b;

	(void)state;
	buf_init(&b, 8192);
	maildirsize_format(&b, 5000, 1234, 5);
	maildirsize_format_line(&b, 66, 1);
	assert_string_equal(
	    buf_str(&b), "5000S\n        1234            5\n          66            1\n");
	assert_int_equal(maildirsize_parse(buf_span(&b), &m), 0);
	assert_int_equal(m.octets, 1300);
	assert_int_equal(m.messages, 6);
	while (b.len <= MAILDIRSIZE_MAX)
		maildirsize_format_line(&b, 1, 1);
	assert_int_equal(maildirsize_parse(buf_span(&b), &m), -1);
	buf_release(&b);
}

static void
finds_sizes_in_names(void **state)
{
	static const struct {
		const char *name;
		bool found;
		uint64_t octets;
	} rows[] = {
	    {"1700000000.QABC123R4.mx.test,S=67", true, 67},
	    {"1.big,S=2147483648:2,S", true, 2147483648},
	    {"1.x,W=70,S=67:2,", true, 67},
	    {"1.x,S=67,W=70:2,S", true, 67},
	    {"1.x", false, 0},
	    {"1.x,S=", false, 0},
	    {"1.x,S=x", false, 0},
	    {"1.x:2,S=5", false, 0},
	    {"", false, 0},
	    {",S=9", true, 9},
	    {"1.x,S=99999999999999999999", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t octets = 0;

		check_row(rows[i].name,
		    maildirsize_of_name(span_str(rows[i].name), &octets) == rows[i].found);
		check_row(rows[i].name, !rows[i].found || octets == rows[i].octets);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(adds_lines_up),
	    cmocka_unit_test(is_read_as_written),
	    cmocka_unit_test(finds_sizes_in_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
