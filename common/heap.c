/*
 * heap: a binary min-heap in an array. See heap.h. Invariant: no item has a
 * smaller key than its parent at (index - 1) / 2, and items[i]->index is i.
 */
#include "common/heap.h"

#include <stdlib.h>

#include "common/xalloc.h"

#define NOWHERE SIZE_MAX

void
heap_init(struct heap *h)
{
	*h = (struct heap){.count = 0};
}

void
heap_release(struct heap *h)
{
	free(h->items);
	heap_init(h);
}

void
heap_item_init(struct heap_item *item)
{
	*item = (struct heap_item){.index = NOWHERE};
}

bool
heap_contains(const struct heap_item *item)
{
	return item->index != NOWHERE;
}

static void
place(struct heap *h, size_t i, struct heap_item *item)
{
	h->items[i] = item;
	item->index = i;
}

/* Puts the item where it belongs, beginning at the free place i: up past greater parents, or down past lesser children. */
static void
settle(struct heap *h, size_t i, struct heap_item *item)
{
	while (i > 0 && h->items[(i - 1) / 2]->key > item->key) {
		place(h, i, h->items[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (size_t child; (child = 2 * i + 1) < h->count; i = child) {
		if (child + 1 < h->count && h->items[child + 1]->key < h->items[child]->key)
			child++;
		if (h->items[child]->key >= item->key)
			break;
		place(h, i, h->items[child]);
	}
	place(h, i, item);
}

void
heap_add(struct heap *h, struct heap_item *item, uint64_t key)
{
	if (h->count == h->cap) {
		h->cap = h->cap > 0 ? h->cap * 2 : 16;
		h->items = xreallocarray(h->items, h->cap, sizeof(struct heap_item *));
	}
	item->key = key;
	settle(h, h->count++, item);
}

void
heap_remove(struct heap *h, struct heap_item *item)
{
	struct heap_item *last = h->items[--h->count];

	if (last != item)
		settle(h, item->index, last);
	item->index = NOWHERE;
}

struct heap_item *
heap_first(const struct heap *h)
{
	return h->count > 0 ? h->items[0] : NULL;
}

size_t
heap_count(const struct heap *h)
{
	return h->count;
}
