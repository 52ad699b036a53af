/* test_buf: the growable buffer and its maximum. */
#include "common/buf.h"

#include <stdlib.h>

#include "tests/unit/testing.h"

static void
is_empty_and_terminated_at_first(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_span(&b).len, 0);
	assert_non_null(buf_span(&b).p);
	buf_drop(&b, 5);
	buf_clear(&b);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

static void
keeps_to_its_maximum(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	assert_int_equal(buf_add(&b, "12345678", 8), 0);
	assert_int_equal(buf_add_char(&b, '9'), -1);
	assert_int_equal(buf_add_str(&b, "9"), -1);
	assert_int_equal(buf_addf(&b, "%d", 9), -1);
	assert_int_equal(buf_reserve(&b, 1), -1);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -1);
	assert_int_equal(buf_add(&b, "", 0), 0);
	assert_string_equal(buf_str(&b), "12345678");
	buf_drop(&b, 3);
	assert_int_equal(buf_addf(&b, "%s", "abcd"), -1);
	assert_string_equal(buf_str(&b), "45678");
	assert_int_equal(buf_addf(&b, "%s", "abc"), 0);
	assert_string_equal(buf_str(&b), "45678abc");
	buf_release(&b);
	assert_int_equal(b.max, 8);
	assert_int_equal(buf_add_str(&b, "again"), 0);
	assert_string_equal(buf_str(&b), "again");
	buf_release(&b);
}

/* More memory than the maximum is no room, and what is refused leaves all as it was. */
static void
keeps_to_its_maximum_in_larger_memory(void **state)
{
	(void)state;
	for (size_t max = 0; max <= 200; max++) {
		struct buf b;

		if (max % 2 == 0)
			buf_init(&b, max);
		else
			buf_init_secret(&b, max);
		for (size_t n = 0; n < max; n++)
			assert_int_equal(buf_add_char(&b, 'a'), 0);
		assert_true(max == 0 || b.cap > max);
		assert_int_equal(buf_add_char(&b, 'b'), -1);
		assert_int_equal(buf_add(&b, "b", 1), -1);
		assert_int_equal(buf_reserve(&b, SIZE_MAX - max), -1);
		assert_int_equal(b.len, max);
		assert_int_equal(strlen(buf_str(&b)), max);
		buf_drop(&b, 1);
		assert_int_equal(buf_add(&b, "bc", 2), -1);
		assert_int_equal(buf_add_char(&b, 'b'), max == 0 ? -1 : 0);
		assert_int_equal(strspn(buf_str(&b), "a"), max == 0 ? 0 : max - 1);
		buf_release(&b);
	}
}

/* At every length the octets are right, the NUL is there, and a reservation is room enough. */
static void
grows_octet_by_octet(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < 1000; i++) {
		assert_int_equal(buf_reserve(&b, 1), 0);
		assert_true(b.cap > i + 1);
		assert_int_equal(buf_add_char(&b, (char)('a' + i % 26)), 0);
		assert_int_equal(b.len, i + 1);
		assert_int_equal(b.p[b.len], '\0');
	}
	assert_int_equal(buf_add_char(&b, 'x'), -1);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	buf_release(&b);
}

static void
drops_from_the_front(void **state)
{
	static const struct {
		const char *name;
		size_t n;
		const char *want;
	} rows[] = {{"nothing", 0, "abcdef"}, {"some", 4, "ef"}, {"all", 6, ""},
	    {"more than all", 7, ""}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b;

		buf_init(&b, 100);
		buf_add_str(&b, "abcdef");
		buf_drop(&b, rows[i].n);
		check_row(rows[i].name, strcmp(buf_str(&b), rows[i].want) == 0);
		check_row(rows[i].name, b.len == strlen(rows[i].want));
		buf_release(&b);
	}
}

static void
gives_its_memory_away(void **state)
{
	struct buf b;
	char *p;

	(void)state;
	buf_init(&b, 100);
	p = buf_take(&b);
	assert_string_equal(p, "");
	free(p);
	buf_add_span(&b, span_make("a\0b", 3));
	p = buf_take(&b);
	assert_memory_equal(p, "a\0b", 4);
	free(p);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.max, 100);
	buf_release(&b);
}

/* What has gone out of a secret one is nowhere in its memory; it stays one when it is released. */
static void
keeps_nothing_of_a_secret(void **state)
{
	static const char zeros[64] = {0};
	struct buf b;

	(void)state;
	buf_init_secret(&b, 1000);
	buf_add_str(&b, "password and more");
	buf_drop(&b, 9);
	assert_string_equal(buf_str(&b), "and more");
	assert_memory_equal(b.p + b.len, zeros, 9);
	buf_add_str(&b, " that makes it grow beyond what it had at first, which is little");
	assert_true(b.cap > 64);
	buf_clear(&b);
	assert_memory_equal(b.p, zeros, sizeof zeros);
	buf_release(&b);
	assert_true(b.secret);
	assert_int_equal(b.max, 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_empty_and_terminated_at_first),
	    cmocka_unit_test(keeps_to_its_maximum),
	    cmocka_unit_test(keeps_to_its_maximum_in_larger_memory),
	    cmocka_unit_test(grows_octet_by_octet),
	    cmocka_unit_test(drops_from_the_front),
	    cmocka_unit_test(gives_its_memory_away),
	    cmocka_unit_test(keeps_nothing_of_a_secret),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
