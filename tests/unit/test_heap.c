/* test_heap: the least key first, whatever is added, removed or changed. */
#include "common/heap.h"

#include "tests/unit/testing.h"

#define ITEMS 200

struct thing {
	int name;
	struct heap_item item;
};

static uint32_t
next_random(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

/* Every parent is no greater than its children, and every item knows its place. */
static void
assert_is_heap(const struct heap *h)
{
	for (size_t i = 0; i < h->count; i++) {
		assert_int_equal(h->items[i]->index, i);
		assert_true(i == 0 || h->items[(i - 1) / 2]->key <= h->items[i]->key);
	}
}

static void
is_empty_at_first(void **state)
{
	struct heap_item item;
	struct heap h;

	(void)state;
	heap_init(&h);
	heap_item_init(&item);
	assert_null(heap_first(&h));
	assert_int_equal(heap_count(&h), 0);
	assert_false(heap_contains(&item));
	heap_add(&h, &item, UINT64_MAX);
	assert_true(heap_contains(&item));
	assert_ptr_equal(heap_first(&h), &item);
	heap_remove(&h, &item);
	assert_false(heap_contains(&item));
	assert_null(heap_first(&h));
	heap_release(&h);
}

static void
sorts(void **state)
{
	struct thing things[ITEMS];
	uint64_t last = 0;
	uint32_t x = 11;
	struct heap h;

	(void)state;
	heap_init(&h);
	for (int i = 0; i < ITEMS; i++) {
		things[i].name = i;
		heap_add(&h, &things[i].item, next_random(&x) % 50);
		assert_is_heap(&h);
	}
	for (int i = 0; i < ITEMS; i++) {
		struct heap_item *first = heap_first(&h);
		struct thing *t = HEAP_OBJECT(first, struct thing, item);

		assert_ptr_equal(&things[t->name], t);
		assert_true(first->key >= last);
		last = first->key;
		heap_remove(&h, first);
		assert_is_heap(&h);
	}
	assert_int_equal(heap_count(&h), 0);
	heap_release(&h);
}

static void
behaves_like_an_array(void **state)
{
	struct thing things[ITEMS];
	size_t count = 0;
	uint32_t x = 5;
	struct heap h;

	(void)state;
	heap_init(&h);
	for (int i = 0; i < ITEMS; i++)
		heap_item_init(&things[i].item);
	for (int step = 0; step < 5000; step++) {
		struct heap_item *item = &things[next_random(&x) % ITEMS].item;
		uint64_t key = next_random(&x) % 1000, least = UINT64_MAX;

		if (!heap_contains(item)) {
			heap_add(&h, item, key);
			count++;
		} else {
			heap_remove(&h, item);
			count--;
		}
		assert_is_heap(&h);
		assert_int_equal(heap_count(&h), count);
		for (int i = 0; i < ITEMS; i++)
			if (heap_contains(&things[i].item) && things[i].item.key < least)
				least = things[i].item.key;
		assert_true(count == 0 ? heap_first(&h) == NULL : heap_first(&h)->key == least);
	}
	heap_release(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_empty_at_first),
	    cmocka_unit_test(sorts),
	    cmocka_unit_test(behaves_like_an_array),
	};

	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
