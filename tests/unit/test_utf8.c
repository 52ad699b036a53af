/* test_utf8: strict UTF-8 (RFC 3629). */
#include "common/utf8.h"

#include "tests/unit/testing.h"

static void
reads_one_character(void **state)
{
	static const struct {
		const char *name;
		struct span in;
		size_t len;
		uint32_t c;
	} rows[] = {
	    {"empty", {"", 0}, 0, 0},
	    {"NUL", {"\0", 1}, 1, 0},
	    {"ASCII", {"ab", 2}, 1, 'a'},
	    {"DEL", {"\x7f", 1}, 1, 0x7f},
	    {"first of two", {"\xc2\x80", 2}, 2, 0x80},
	    {"last of two", {"\xdf\xbf", 2}, 2, 0x7ff},
	    {"first of three", {"\xe0\xa0\x80", 3}, 3, 0x800},
	    {"before the surrogates", {"\xed\x9f\xbf", 3}, 3, 0xd7ff},
	    {"behind the surrogates", {"\xee\x80\x80", 3}, 3, 0xe000},
	    {"last of three", {"\xef\xbf\xbf", 3}, 3, 0xffff},
	    {"first of four", {"\xf0\x90\x80\x80", 4}, 4, 0x10000},
	    {"last of all", {"\xf4\x8f\xbf\xbf", 4}, 4, 0x10ffff},
	    {"above the last", {"\xf4\x90\x80\x80", 4}, 0, 0},
	    {"far above", {"\xf7\xbf\xbf\xbf", 4}, 0, 0},
	    {"five octets", {"\xf8\x88\x80\x80\x80", 5}, 0, 0},
	    {"first surrogate", {"\xed\xa0\x80", 3}, 0, 0},
	    {"last surrogate", {"\xed\xbf\xbf", 3}, 0, 0},
	    {"overlong NUL", {"\xc0\x80", 2}, 0, 0},
	    {"overlong slash", {"\xc0\xaf", 2}, 0, 0},
	    {"overlong of three", {"\xe0\x9f\xbf", 3}, 0, 0},
	    {"overlong of four", {"\xf0\x8f\xbf\xbf", 4}, 0, 0},
	    {"continuation alone", {"\x80", 1}, 0, 0},
	    {"0xff", {"\xff", 1}, 0, 0},
	    {"cut of two", {"\xc3", 1}, 0, 0},
	    {"cut of three", {"\xe2\x82", 2}, 0, 0},
	    {"cut of four", {"\xf0\x9f\x92", 3}, 0, 0},
	    {"cut by ASCII", {"\xc3(", 2}, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t c = 0;

		check_row(rows[i].name, utf8_char(rows[i].in, &c) == rows[i].len);
		check_row(rows[i].name, c == rows[i].c);
		check_row(rows[i].name, utf8_char(rows[i].in, NULL) == rows[i].len);
	}
}

/* Every code point, encoded by hand here, comes back; surrogates do not. */
static void
reads_every_character(void **state)
{
	(void)state;
	for (uint32_t c = 0x80; c <= 0x110000; c++) {
		char p[4];
		size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		uint32_t got = 0, v = c;
		bool good = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

		for (size_t i = n; i-- > 1; v >>= 6)
			p[i] = (char)(0x80 | (v & 0x3f));
		p[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | v);
		assert_int_equal(utf8_char(span_make(p, n), &got), good ? n : 0);
		assert_int_equal(got, good ? c : 0);
	}
}

static void
judges_whole_spans(void **state)
{
	(void)state;
	assert_true(utf8_valid(span_str("")));
	assert_true(utf8_valid(span_str("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x92\xa9z")));
	assert_false(utf8_valid(span_str("a\xc3\xbc\xc3")));
	assert_false(utf8_valid(span_str("\x80"
					 "a")));
}

static void
knows_what_may_be_shown(void **state)
{
	static const struct {
		const char *name, *in;
		size_t want;
	} rows[] = {
	    {"empty", "", 0},
	    {"plain", "ab c", 4},
	    {"umlaut", "\xc3\xbc", 2},
	    {"stops at LF", "ab\ncd", 2},
	    {"stops at ESC", "a\x1b[0m", 1},
	    {"stops at DEL", "a\x7f", 1},
	    {"C1 control", "\xc2\x9b", 0},
	    {"no-break space", "\xc2\xa0", 2},
	    {"soft hyphen", "\xc2\xad", 0},
	    {"zero-width space", "\xe2\x80\x8b", 0},
	    {"right-to-left mark", "\xe2\x80\x8f", 0},
	    {"hyphen U+2010", "\xe2\x80\x90", 3},
	    {"line separator", "\xe2\x80\xa8", 0},
	    {"right-to-left override", "\xe2\x80\xae", 0},
	    {"isolate", "\xe2\x81\xa6", 0},
	    {"byte order mark", "\xef\xbb\xbf", 0},
	    {"malformed", "a\xff", 1},
	    {"variation selector", "a\xef\xb8\x8f", 1},
	    {"an emoji alone", "\xe2\x9d\xa4", 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check_row(rows[i].name, utf8_printable(span_str(rows[i].in)) == rows[i].want);
}

/* Default_Ignorable_Code_Point of Unicode: shown as nothing, so that two addresses would look like one. */
static void
knows_what_is_invisible(void **state)
{
	static const struct {
		uint32_t first, last;
	} rows[] = {{0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160},
	    {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e},
	    {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
	    {0xffa0, 0xffa0}, {0xfff0, 0xfff8}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	    {0xe0000, 0xe0fff}};
	uint32_t c = 0xa0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (; c < rows[i].first; c++)
			if (!utf8_is_printable(c))
				fail_msg("U+%04X is not shown", (unsigned)c);
		for (; c <= rows[i].last; c++)
			if (utf8_is_printable(c))
				fail_msg("U+%04X is shown", (unsigned)c);
	}
	for (; c <= 0x10ffff; c++)
		assert_true(utf8_is_printable(c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_one_character),
	    cmocka_unit_test(reads_every_character),
	    cmocka_unit_test(judges_whole_spans),
	    cmocka_unit_test(knows_what_may_be_shown),
	    cmocka_unit_test(knows_what_is_invisible),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
