/* test_base64: the vectors of RFC 4648 10, and what must not be taken. */
#include "common/base64.h"

#include "tests/unit/testing.h"

static void
goes_both_ways(void **state)
{
	static const struct {
		const char *octets, *text;
	} rows[] = {
	    {"", ""},
	    {"f", "Zg=="},
	    {"fo", "Zm8="},
	    {"foo", "Zm9v"},
	    {"foob", "Zm9vYg=="},
	    {"fooba", "Zm9vYmE="},
	    {"foobar", "Zm9vYmFy"},
	    {"\xff\xfe\xfd", "//79"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b;

		buf_init(&b, 64);
		assert_int_equal(base64_encode(span_str(rows[i].octets), &b), 0);
		assert_string_equal(buf_str(&b), rows[i].text);
		buf_clear(&b);
		assert_int_equal(base64_decode(span_str(rows[i].text), &b), 0);
		assert_true(span_is(buf_span(&b), rows[i].octets));
		buf_release(&b);
	}
}

static void
refuses_all_else(void **state)
{
	static const char *const rows[] = {"=", "====", "Z", "Zg",
	    "Zg=", "Zg==Zg==", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm9v====", "!!!!", "Zm-_",
	    "Z===", "=m9v", "Zm=v"};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b;

		buf_init(&b, 64);
		if (base64_decode(span_str(rows[i]), &b) == 0)
			fail_msg("%s was taken", rows[i]);
		assert_int_equal(b.len, 0);
		buf_release(&b);
	}
}

static void
stops_where_it_is_full(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_int_equal(base64_decode(span_str("Zm9vYmFy"), &b), -1);
	assert_int_equal(b.len, 0);
	assert_int_equal(base64_encode(span_str("foob"), &b), -1);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(goes_both_ways),
	    cmocka_unit_test(refuses_all_else),
	    cmocka_unit_test(stops_where_it_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
