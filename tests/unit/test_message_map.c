/* test_message_map: messages by number, against a plain array as the model. */
#include "queue/message_map.h"

#include "tests/unit/testing.h"

#define MESSAGES 700

/* Numbers as writers give them: consecutive within a generation; and the ends of the range. */
static uint64_t
number_of(unsigned i)
{
	if (i % 50 == 0)
		return i % 100 == 0 ? i : UINT64_MAX - i;
	return (uint64_t)(i / 20 + 1) << 24 | i % 20;
}

static void
behaves_like_an_array(void **state)
{
	static struct message *m[MESSAGES];
	static const struct message_given to = {{"x@d.test", 8}, 0};
	struct atom_table *atoms = atom_table_new();
	bool present[MESSAGES] = {false};
	struct message_map map;
	uint32_t x = 3;
	size_t count = 0;

	(void)state;
	for (unsigned i = 0; i < MESSAGES; i++)
		m[i] = message_new(atoms, number_of(i), span_str("s@d.test"), &to, 1);
	message_map_init(&map);
	assert_null(message_map_find(&map, 1));
	assert_null(message_map_remove(&map, 1));
	for (unsigned step = 0; step < 100000; step++) {
		unsigned i;

		x = x * 1664525 + 1013904223;
		i = (x >> 8) % (step % 20000 < 10000 ? MESSAGES : 12);
		switch (x >> 30) {
		case 0:
			assert_int_equal(message_map_insert(&map, m[i]), present[i] ? -1 : 0);
			count += !present[i];
			present[i] = true;
			break;
		case 1:
			assert_ptr_equal(
			    message_map_remove(&map, number_of(i)), present[i] ? m[i] : NULL);
			count -= present[i];
			present[i] = false;
			break;
		default:
			assert_ptr_equal(
			    message_map_find(&map, number_of(i)), present[i] ? m[i] : NULL);
		}
		assert_int_equal(message_map_count(&map), count);
	}
	message_map_release(&map);
	for (unsigned i = 0; i < MESSAGES; i++)
		message_free(&m[i]);
	atom_table_free(&atoms);
}

static void
walks_over_all(void **state)
{
	static const struct message_given to = {{"x@d.test", 8}, 0};
	struct atom_table *atoms = atom_table_new();
	unsigned seen[MESSAGES] = {0};
	struct message_map map;
	struct message *m;
	size_t at = 0;

	(void)state;
	message_map_init(&map);
	assert_null(message_map_next(&map, &at));
	for (unsigned i = 0; i < MESSAGES; i++)
		assert_int_equal(message_map_insert(&map,
				     message_new(atoms, i + 1, span_str("s@d.test"), &to, 1)),
		    0);
	at = 0;
	while ((m = message_map_next(&map, &at)) != NULL) {
		seen[m->number - 1]++;
		message_free(&m);
	}
	for (unsigned i = 0; i < MESSAGES; i++)
		assert_int_equal(seen[i], 1);
	message_map_release(&map);
	assert_int_equal(message_map_count(&map), 0);
	atom_table_free(&atoms);
}

/* The longest run of slots in use: what a search may have to walk over. */
static size_t
longer(size_t longest, const struct message_map_table *t)
{
	size_t run = 0;

	for (size_t i = 0; i < t->cap; i++) {
		run = t->slots[i] != NULL ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

/* A checkpoint is written in the order of one table and read into another, that grows. */
static void
takes_what_another_was_walked_over(void **state)
{
	enum { MANY = 90000 };
	struct message_map first, second;
	struct message *messages = calloc(MANY, sizeof *messages), *m;
	size_t at = 0, longest = 0;

	(void)state;
	message_map_init(&first);
	message_map_init(&second);
	for (unsigned i = 0; i < MANY; i++) {
		messages[i].number = (uint64_t)(i / 7000 + 1) << 24 | i % 7000;
		assert_int_equal(message_map_insert(&first, &messages[i]), 0);
	}
	while ((m = message_map_next(&first, &at)) != NULL) {
		assert_int_equal(message_map_insert(&second, m), 0);
		for (size_t t = second.count % 1000 == 0 ? 0 : MESSAGE_MAP_TABLES;
		     t < MESSAGE_MAP_TABLES; t++)
			longest = longer(longest, &second.tables[t]);
	}
	assert_in_range(longest, 1, 100);
	message_map_release(&first);
	message_map_release(&second);
	free(messages);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(behaves_like_an_array),
	    cmocka_unit_test(walks_over_all),
	    cmocka_unit_test(takes_what_another_was_walked_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
