/* message_map: messages by number. See message_map.h; probing and removing as in common/hash.c. */
#include "queue/message_map.h"

#include <stdlib.h>

#include "common/xalloc.h"

#define CAP_FIRST 16
#define AHEAD	  12 /* slots: what a walk does with a message takes as long as fetching so many */

void
message_map_init(struct message_map *map)
{
	*map = (struct message_map){.count = 0};
}

void
message_map_release(struct message_map *map)
{
	free(map->slots);
	message_map_init(map);
}

/* Where the search for a number begins: numbers are consecutive or strided, mixing spreads both. */
static size_t
home(const struct message_map *map, uint64_t number)
{
	number ^= number >> 32;
	number *= 0x9e3779b97f4a7c15;
	number ^= number >> 29;
	return number & (map->cap - 1);
}

/* The slot of the number, or the empty one where it would go. The map has slots. */
static size_t
locate(const struct message_map *map, uint64_t number)
{
	size_t i = home(map, number);

	while (map->slots[i] != NULL && map->slots[i]->number != number)
		i = (i + 1) & (map->cap - 1);
	return i;
}

static void
grow(struct message_map *map)
{
	struct message_map old = *map;
	struct message *m;
	size_t at = 0;

	map->cap = old.cap > 0 ? old.cap * 2 : CAP_FIRST;
	map->slots = xcalloc(map->cap, sizeof(*map->slots));
	while ((m = message_map_next(&old, &at)) != NULL) {
		size_t i = home(map, m->number);

		while (map->slots[i] != NULL)
			i = (i + 1) & (map->cap - 1);
		map->slots[i] = m;
	}
	free(old.slots);
}

struct message *
message_map_find(const struct message_map *map, uint64_t number)
{
	return map->count > 0 ? map->slots[locate(map, number)] : NULL;
}

int
message_map_insert(struct message_map *map, struct message *m)
{
	size_t i;

	if (map->count >= map->cap / 4 * 3)
		grow(map);
	i = locate(map, m->number);
	if (map->slots[i] != NULL)
		return -1;
	map->slots[i] = m;
	map->count++;
	return 0;
}

struct message *
message_map_remove(struct message_map *map, uint64_t number)
{
	size_t mask = map->cap - 1, hole;
	struct message *m;

	if (map->count == 0)
		return NULL;
	hole = locate(map, number);
	m = map->slots[hole];
	if (m == NULL)
		return NULL;
	for (size_t i = (hole + 1) & mask; map->slots[i] != NULL; i = (i + 1) & mask) {
		if (((i - home(map, map->slots[i]->number)) & mask) >= ((i - hole) & mask)) {
			map->slots[hole] = map->slots[i];
			hole = i;
		}
	}
	map->slots[hole] = NULL;
	map->count--;
	return m;
}

size_t
message_map_count(const struct message_map *map)
{
	return map->count;
}

/* A message and its first recipient are three lines of cache. */
static void
fetch(const struct message *m)
{
	const char *p = (const char *)m;

	__builtin_prefetch(p);
	__builtin_prefetch(p + 64);
	__builtin_prefetch(p + 128);
}

struct message *
message_map_next(const struct message_map *map, size_t *at)
{
	while (*at < map->cap) {
		struct message *m = map->slots[*at];

		if (*at + AHEAD < map->cap && map->slots[*at + AHEAD] != NULL)
			fetch(map->slots[*at + AHEAD]);
		++*at;
		if (m != NULL)
			return m;
	}
	return NULL;
}
