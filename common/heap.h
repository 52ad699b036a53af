/*
 * heap: items in order of a 64-bit key, least first, such as things to do by the
 * time they are due. The item is embedded in the caller's object, so that an
 * object can be taken out or moved by itself; the heap keeps pointers only.
 */
#ifndef COMMON_HEAP_H
#define COMMON_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
	size_t index; /* the heap's; see heap_item_init */
	uint64_t key; /* read it freely */
};

struct heap {
	struct heap_item **items;
	size_t count, cap;
};

/* The object of the given type in which the item is the given member. */
#define HEAP_OBJECT(item, type, member) ((type *)((char *)(item)-offsetof(type, member)))

void heap_init(struct heap *h);

/* Frees the heap's own memory; items still in it are forgotten, not changed. */
void heap_release(struct heap *h);

/* An item that is in no heap. Needed before heap_contains is asked, not before heap_add. */
void heap_item_init(struct heap_item *item);
bool heap_contains(const struct heap_item *item);

/* Adds an item that is in no heap. Logarithmic, as is heap_remove. */
void heap_add(struct heap *h, struct heap_item *item, uint64_t key);

/* Takes out an item of this heap. */
void heap_remove(struct heap *h, struct heap_item *item);

/* The item with the least key (any of them, if several have it), or NULL. It stays in the heap. */
struct heap_item *heap_first(const struct heap *h);

size_t heap_count(const struct heap *h);

#endif
