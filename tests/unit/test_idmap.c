/* test_idmap: the map of numbers, against a plain array as the model. */
#include "common/idmap.h"

#include "tests/unit/testing.h"

#define IDS 600

static uint32_t
next_random(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

/* Id i: consecutive, strided by a power of two, or at the ends of the range. */
static uint64_t
id_of(unsigned i)
{
	switch (i % 3) {
	case 0:
		return i / 3;
	case 1:
		return (uint64_t)(i / 3 + 1) << 32;
	default:
		return UINT64_MAX - i / 3;
	}
}

static void
behaves_like_an_array(void **state)
{
	int values[IDS];
	bool present[IDS] = {false};
	size_t count = 0;
	uint32_t x = 3;
	struct idmap m;

	(void)state;
	idmap_init(&m);
	assert_null(idmap_find(&m, 0));
	assert_null(idmap_remove(&m, 0));
	for (unsigned step = 0; step < 60000; step++) {
		unsigned i = next_random(&x) % (step % 20000 < 10000 ? IDS : 10);

		switch (next_random(&x) % 3) {
		case 0:
			assert_int_equal(
			    idmap_insert(&m, id_of(i), &values[i]), present[i] ? -1 : 0);
			count += !present[i];
			present[i] = true;
			break;
		case 1:
			assert_ptr_equal(
			    idmap_remove(&m, id_of(i)), present[i] ? &values[i] : NULL);
			count -= present[i];
			present[i] = false;
			break;
		default:
			assert_ptr_equal(
			    idmap_find(&m, id_of(i)), present[i] ? &values[i] : NULL);
		}
		assert_int_equal(idmap_count(&m), count);
	}
	for (unsigned i = 0; i < IDS; i++)
		assert_ptr_equal(idmap_find(&m, id_of(i)), present[i] ? &values[i] : NULL);
	idmap_release(&m);
}

static void
walks_over_every_value_once(void **state)
{
	int values[IDS], seen[IDS] = {0};
	struct idmap m;
	size_t at = 0, n = 0;
	int *v;

	(void)state;
	idmap_init(&m);
	assert_null(idmap_next(&m, &at));
	for (unsigned i = 0; i < IDS; i++)
		assert_int_equal(idmap_insert(&m, id_of(i), &values[i]), 0);
	for (at = 0; (v = idmap_next(&m, &at)) != NULL; n++)
		seen[v - values]++;
	assert_int_equal(n, IDS);
	for (unsigned i = 0; i < IDS; i++)
		assert_int_equal(seen[i], 1);
	idmap_release(&m);
	assert_int_equal(idmap_count(&m), 0);
	assert_null(idmap_find(&m, id_of(1)));
}

/* A checkpoint is written in the order of one table and read into another, that grows. */
static void
takes_what_another_was_walked_over(void **state)
{
	enum { MANY = 90000 };
	struct idmap first, second;
	uint64_t *ids = calloc(MANY, sizeof *ids), *id;
	size_t at = 0, longest = 0, run = 0;

	(void)state;
	idmap_init(&first);
	idmap_init(&second);
	for (unsigned i = 0; i < MANY; i++) {
		ids[i] = (uint64_t)(i / 7000 + 1) << 24 | i % 7000;
		assert_int_equal(idmap_insert(&first, ids[i], &ids[i]), 0);
	}
	while ((id = idmap_next(&first, &at)) != NULL) {
		assert_int_equal(idmap_insert(&second, *id, id), 0);
		if (second.count != second.cap / 4 * 3)
			continue;
		for (size_t i = 0; i < second.cap; i++) {
			run = second.slots[i].value != NULL ? run + 1 : 0;
			longest = run > longest ? run : longest;
		}
	}
	assert_in_range(longest, 1, 400);
	idmap_release(&first);
	idmap_release(&second);
	free(ids);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(behaves_like_an_array),
	    cmocka_unit_test(walks_over_every_value_once),
	    cmocka_unit_test(takes_what_another_was_walked_over),
	};

	return cmocka_run_group_tests_name("idmap", tests, NULL, NULL);
}
