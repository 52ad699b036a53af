/* test_atom: interned strings, against plain strings as the model. */
#include "common/atom.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/testing.h"

#define TEXTS 3000

static void
same_text_is_same_pointer(void **state)
{
	struct atom_table *t = atom_table_new();
	const char *a = atom_get(t, span_str("one")), *b = atom_get(t, span_make("onetwo", 3));
	const char *c = atom_get(t, span_str("")), *d = atom_get(t, (struct span){NULL, 0});
	const char *e = atom_get(t, span_make("one\0two", 7));

	(void)state;
	assert_ptr_equal(a, b);
	assert_ptr_equal(c, d);
	assert_ptr_equal(a, e);
	assert_string_equal(a, "one");
	assert_string_equal(c, "");
	assert_ptr_equal(atom_table_of(a), t);
	assert_int_equal(atom_count(t), 2);
	atom_unref(&a);
	assert_null(a);
	atom_unref(&a);
	assert_string_equal(b, "one");
	atom_unref(&b);
	atom_unref(&e);
	assert_int_equal(atom_count(t), 1);
	atom_unref(&c);
	assert_null(c);
	atom_unref(&c); /* NULL is fine */
	assert_int_equal(atom_count(t), 1);
	atom_unref(&d);
	assert_int_equal(atom_count(t), 0);
	atom_table_free(&t);
	assert_null(t);
}

/* Many texts come and go; every one that has a holder is found as the same pointer. */
static void
survives_growth_and_removal(void **state)
{
	struct atom_table *t = atom_table_new();
	static const char *held[TEXTS];
	size_t count = 0;
	uint32_t x = 7;
	char text[32];

	(void)state;
	for (unsigned step = 0; step < 100000; step++) {
		unsigned i;

		x = x * 1664525 + 1013904223;
		i = (x >> 8) % (step % 40000 < 25000 ? TEXTS : 50);
		snprintf(text, sizeof text, "text %u", i * i);
		if (held[i] != NULL && (x >> 30) == 0) {
			atom_unref(&held[i]);
			count--;
		} else if (held[i] == NULL) {
			held[i] = atom_get(t, span_str(text));
			count++;
		} else {
			const char *again = atom_get(t, span_str(text));

			assert_ptr_equal(again, held[i]);
			atom_unref(&again);
		}
		if (held[i] != NULL)
			assert_string_equal(held[i], text);
		assert_int_equal(atom_count(t), count);
	}
	atom_table_free(&t); /* with what is left in it */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_text_is_same_pointer),
	    cmocka_unit_test(survives_growth_and_removal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
