/* test_fold: names that are the same whatever the case of their letters, and those that are not. */
#include "conf/fold.h"

#include "common/case_fold.h"
#include "tests/unit/testing.h"

static void
test_names(void **state)
{
	static const struct {
		const char *local, *want;
	} rows[] = {
	    {"bob", "bob"}, {"BoB+X", "bob+x"}, {"BÜCHER", "bücher"}, {"bücher", "bücher"},
	    {"Ünal.ÉCOLE", "ünal.école"}, {"ΣΟΦΟΣ", "σοφοσ"}, {"σοφος", "σοφοσ"},
	    {"ПОЧТА", "почта"}, {"ŠKODA", "škoda"}, {"Straße", "straße"},
	    {"ÅNGSTRÖM", "ångström"}, {"ÿ", "ÿ"}, {"邮箱A", "邮箱a"}, {"用户", "用户"},
	    {"DŽ", "dž"}, {"😀X", "😀x"},
	    /* No case folds these together. */
	    {"ss", "ss"}, {"ıi", "ıi"}, {"аA", "аa"}, /* the first is Cyrillic */
	};
	char out[LOCAL_PART_MAX + 1], again[LOCAL_PART_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = fold_name(span_str(rows[i].local), out);

		if (strcmp(out, rows[i].want) != 0)
			fail_msg("%s: got %s, want %s", rows[i].local, out, rows[i].want);
		assert_int_equal(n, strlen(rows[i].want));
		fold_name(span_make(out, n), again);
		assert_string_equal(again, out);
	}
}

/* A name is folded where it is read, where it is asked for and where it is delivered: all have to agree. */
static void
test_all_letters(void **state)
{
	static const char *const same[][3] = {
	    {"Μ", "μ", "\xc2\xb5"},
	    {"Ι", "ι", "ι"},
	    {"Σ", "σ", "ς"},
	    {"S", "s", "ſ"},
	    {"Θ", "θ", "ϑ"},
	    {"Β", "β", "ϐ"},
	    {"Ꙋ", "ꙋ", "\xe1\xb2\x88"},
	    {"ΔΗΜΟΣ", "δημος", "δημοσ"},
	    {"ΚΑΙ", "και", "Και"},
	    {"Ǆ", "ǆ", "ǅ"},
	};
	char text[8] = "", once[LOCAL_PART_MAX + 1], again[LOCAL_PART_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		for (size_t k = 0; k < 3; k++) {
			fold_name(span_str(same[i][k]), once);
			if (k == 0)
				memcpy(again, once, sizeof again);
			if (strcmp(once, again) != 0)
				fail_msg("%s: %s and %s", same[i][k], once, again);
		}
	for (unsigned c = 0x80; c < 0x3000; c++) {
		size_t n = c < 0x800 ? 2 : 3;

		text[0] = (char)(n == 2 ? 0xc0 | c >> 6 : 0xe0 | c >> 12);
		text[1] = (char)(0x80 | (n == 2 ? c : c >> 6) % 64);
		text[2] = (char)(n == 2 ? 0 : 0x80 | c % 64);
		fold_name(span_make(once, fold_name(span_make(text, n), once)), again);
		if (strcmp(once, again) != 0)
			fail_msg("U+%04X: %s and %s", c, once, again);
	}
}

/* What grows beyond the limit, and what is no UTF-8, stays as it is but for ASCII. */
static void
test_limits(void **state)
{
	char text[LOCAL_PART_MAX + 1] = "", out[LOCAL_PART_MAX + 1];
	size_t n;

	(void)state;
	/* U+023A has two octets, and U+2C65, which is its small letter, three. */
	for (size_t i = 0; i < LOCAL_PART_MAX; i += 2)
		memcpy(text + i, "\xc8\xba", 3);
	assert_int_equal(fold_name(span_str(text), out), LOCAL_PART_MAX);
	assert_string_equal(out, text);
	assert_int_equal(fold_name(span_make(text, 2), out), 3);
	assert_string_equal(out, "\xe2\xb1\xa5");
	assert_int_equal(fold_name(span_str("A\xff"), out), 2);
	assert_string_equal(out, "a\xff");
	assert_int_equal(case_fold(span_str("Ü"), out, 2, &n), -1);
	assert_int_equal(case_fold(span_str("Ü"), out, 3, &n), 0);
	assert_int_equal(n, 2);
}

static void
test_addresses(void **state)
{
	char one[LOCAL_PART_MAX + 1], two[LOCAL_PART_MAX + 1];
	struct address a, b;

	(void)state;
	assert_int_equal(address_parse(span_str("BÜCHER@a.test"), ADDRESS_UTF8, &a, NULL), 0);
	fold_address(&a, one);
	assert_string_equal(one, "bücher");
	assert_int_equal(address_parse(span_str("\"Bu\xcc\x88"
						"CHER\"@a.test"),
			     ADDRESS_UTF8, &b, NULL),
	    0);
	fold_address(&b, two);
	assert_string_equal(two, one);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_all_letters),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
