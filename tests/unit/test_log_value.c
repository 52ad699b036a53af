/* test_log_value: values of log lines: each ends where it is said to, and what stands in it can be had back. */
#include "common/log_value.h"

#include <stdlib.h>

#include "tests/unit/testing.h"

/* What a reader of the log does. */
static void
undo(const char *s, struct buf *out)
{
	buf_clear(out);
	while (*s != '\0') {
		char digits[3] = {0};

		if (s[0] == '\\' && s[1] == 'x') {
			memcpy(digits, s + 2, 2);
			buf_add_char(out, (char)strtoul(digits, NULL, 16));
			s += 4;
		} else {
			buf_add_char(out, *s++);
		}
	}
}

static void
test_values(void **state)
{
	static const struct {
		const char *value, *address, *quoted;
	} rows[] = {
	    {"", "", ""},
	    {"bob@a.test", "bob@a.test", "bob@a.test"},
	    {"b\xc3\xbc@a.test", "b\xc3\xbc@a.test", "b\xc3\xbc@a.test"},
	    {"\"a b\"@a.test", "\\x22a\\x20b\\x22@a.test", "\\x22a b\\x22@a.test"},
	    {"\"x> rcpt=<y\"@a.test", "\\x22x\\x3e\\x20rcpt=\\x3cy\\x22@a.test",
		"\\x22x> rcpt=<y\\x22@a.test"},
	    {"\"\\x20\"@a.test", "\\x22\\x5cx20\\x22@a.test", "\\x22\\x5cx20\\x22@a.test"},
	};
	struct buf again;

	(void)state;
	buf_init(&again, 1000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *address = LOG_ADDRESS(span_str(rows[i].value));
		const char *quoted = LOG_QUOTED(span_str(rows[i].value));

		assert_string_equal(address, rows[i].address);
		assert_string_equal(quoted, rows[i].quoted);
		undo(address, &again);
		assert_string_equal(buf_str(&again), rows[i].value);
		undo(quoted, &again);
		assert_string_equal(buf_str(&again), rows[i].value);
	}
	buf_release(&again);
}

/* As long as can be, and longer; a character is not cut in two. */
static void
test_long(void **state)
{
	char text[1000], address[LOG_ADDRESS_SIZE], quoted[LOG_QUOTED_SIZE];
	struct buf out;

	(void)state;
	memset(text, '"', sizeof text);
	log_address(span_make(text, ADDRESS_MAX), address);
	assert_int_equal(strlen(address), 4 * ADDRESS_MAX);
	log_quoted(span_make(text, LOG_QUOTED_MAX), quoted);
	assert_int_equal(strlen(quoted), 4 * LOG_QUOTED_MAX);
	log_address(span_make(text, sizeof text), address);
	assert_string_equal(address + 4 * ADDRESS_MAX, "…");
	log_quoted(span_make(text, sizeof text), quoted);
	assert_string_equal(quoted + 4 * LOG_QUOTED_MAX, "…");
	buf_init(&out, 100);
	buf_add_str(&out, "field=");
	log_add_quoted(&out, span_str("abc\xc3\xbc\xc3\xbc"), 6);
	assert_string_equal(buf_str(&out), "field=abc\xc3\xbc…");
	buf_clear(&out);
	log_add_quoted(&out, span_make("a\0b", 3), 6);
	assert_string_equal(buf_str(&out), "a b");
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
