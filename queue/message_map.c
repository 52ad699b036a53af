/* message_map: messages by number. See message_map.h; probing and removing as in common/hash.c. */
#include "queue/message_map.h"

#include <stdlib.h>

#include "common/idmap.h"
#include "common/xalloc.h"

#define CAP_FIRST 16
#define AHEAD	  12 /* slots: what a walk does with a message takes as long as fetching so many */
#define SLOT_BITS 32 /* of a place in a walk; the number of the table is above */

void
message_map_init(struct message_map *map)
{
	*map = (struct message_map){.count = 0};
}

void
message_map_release(struct message_map *map)
{
	for (size_t i = 0; i < MESSAGE_MAP_TABLES; i++)
		free(map->tables[i].slots);
	message_map_init(map);
}

/* Which table: as good as independent of the place in it, which idmap_home gives for a size of its own. */
static size_t
table_of(uint64_t number)
{
	return idmap_home(~number, MESSAGE_MAP_TABLES);
}

/* The slot of the number, or the empty one where it would go. The table has slots. */
static size_t
locate(const struct message_map_table *t, uint64_t number)
{
	size_t i = idmap_home(number, t->cap);

	while (t->slots[i] != NULL && t->slots[i]->number != number)
		i = (i + 1) & (t->cap - 1);
	return i;
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

static struct message *
table_next(const struct message_map_table *t, size_t *at)
{
	while (*at < t->cap) {
		struct message *m = t->slots[*at];

		if (*at + AHEAD < t->cap && t->slots[*at + AHEAD] != NULL)
			fetch(t->slots[*at + AHEAD]);
		++*at;
		if (m != NULL)
			return m;
	}
	return NULL;
}

static void
grow(struct message_map_table *t)
{
	struct message_map_table old = *t;
	struct message *m;
	size_t at = 0;

	t->cap = old.cap > 0 ? old.cap * 2 : CAP_FIRST;
	t->slots = xcalloc(t->cap, sizeof(*t->slots));
	while ((m = table_next(&old, &at)) != NULL) {
		size_t i = idmap_home(m->number, t->cap);

		while (t->slots[i] != NULL)
			i = (i + 1) & (t->cap - 1);
		t->slots[i] = m;
	}
	free(old.slots);
}

struct message *
message_map_find(const struct message_map *map, uint64_t number)
{
	const struct message_map_table *t = &map->tables[table_of(number)];

	return t->count > 0 ? t->slots[locate(t, number)] : NULL;
}

int
message_map_insert(struct message_map *map, struct message *m)
{
	struct message_map_table *t = &map->tables[table_of(m->number)];
	size_t i;

	if (t->count >= t->cap / 4 * 3)
		grow(t);
	i = locate(t, m->number);
	if (t->slots[i] != NULL)
		return -1;
	t->slots[i] = m;
	t->count++;
	map->count++;
	return 0;
}

struct message *
message_map_remove(struct message_map *map, uint64_t number)
{
	struct message_map_table *t = &map->tables[table_of(number)];
	size_t mask = t->cap - 1, hole;
	struct message *m;

	if (t->count == 0)
		return NULL;
	hole = locate(t, number);
	m = t->slots[hole];
	if (m == NULL)
		return NULL;
	for (size_t i = (hole + 1) & mask; t->slots[i] != NULL; i = (i + 1) & mask) {
		if (((i - idmap_home(t->slots[i]->number, t->cap)) & mask) >=
		    ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = NULL;
	t->count--;
	map->count--;
	return m;
}

size_t
message_map_count(const struct message_map *map)
{
	return map->count;
}

struct message *
message_map_next(const struct message_map *map, size_t *at)
{
	size_t table = *at >> SLOT_BITS, slot = *at & ((1ULL << SLOT_BITS) - 1);

	for (; table < MESSAGE_MAP_TABLES; table++, slot = 0) {
		struct message *m = table_next(&map->tables[table], &slot);

		if (m != NULL) {
			*at = table << SLOT_BITS | slot;
			return m;
		}
	}
	*at = (size_t)MESSAGE_MAP_TABLES << SLOT_BITS;
	return NULL;
}
