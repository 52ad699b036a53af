/* idmap: a map from numbers to pointers. See idmap.h; probing and removing as in hash.c. */
#include "common/idmap.h"

#include <stdlib.h>

#include "common/xalloc.h"

#define CAP_FIRST 16
#define CAP_LARGE                                                                              \
	65536 /* from here it grows by half: a million ids are not to pay for two million */

void
idmap_init(struct idmap *m)
{
	*m = (struct idmap){.count = 0};
}

void
idmap_release(struct idmap *m)
{
	free(m->slots);
	idmap_init(m);
}

/* Where the search for an id begins: ids are consecutive or strided, mixing spreads both. */
static size_t
home(const struct idmap *m, uint64_t id)
{
	id ^= id >> 32;
	id *= 0x9e3779b97f4a7c15;
	/*
	 * A remainder, not the highest bits: a map that is filled in the order of another (idmap_next) would
	 * grow one long run from its beginning.
	 */
	return (uint32_t)(id >> 32) % (uint32_t)m->cap;
}

static size_t
after(const struct idmap *m, size_t i)
{
	return i + 1 < m->cap ? i + 1 : 0;
}

/* How many slots i lies behind from, around the end if need be. */
static size_t
distance(const struct idmap *m, size_t from, size_t i)
{
	return i >= from ? i - from : i + m->cap - from;
}

/* The slot of the id, or the empty one where it would go. The map has slots. */
static struct idmap_slot *
locate(const struct idmap *m, uint64_t id)
{
	size_t i = home(m, id);

	while (m->slots[i].value != NULL && m->slots[i].id != id)
		i = after(m, i);
	return &m->slots[i];
}

static void
grow(struct idmap *m)
{
	struct idmap_slot *old = m->slots;
	size_t cap = m->cap;

	m->cap = cap == 0 ? CAP_FIRST : cap < CAP_LARGE ? cap * 2 : cap + cap / 2;
	m->slots = xcalloc(m->cap, sizeof *m->slots);
	for (size_t i = 0; i < cap; i++)
		if (old[i].value != NULL)
			*locate(m, old[i].id) = old[i];
	free(old);
}

void *
idmap_find(const struct idmap *m, uint64_t id)
{
	return m->count > 0 ? locate(m, id)->value : NULL;
}

int
idmap_insert(struct idmap *m, uint64_t id, void *value)
{
	struct idmap_slot *slot;

	if (m->count >= m->cap / 4 * 3)
		grow(m);
	slot = locate(m, id);
	if (slot->value != NULL)
		return -1;
	*slot = (struct idmap_slot){id, value};
	m->count++;
	return 0;
}

void *
idmap_remove(struct idmap *m, uint64_t id)
{
	size_t hole;
	struct idmap_slot *slot;
	void *value;

	if (m->count == 0)
		return NULL;
	slot = locate(m, id);
	value = slot->value;
	if (value == NULL)
		return NULL;
	hole = (size_t)(slot - m->slots);
	for (size_t i = after(m, hole); m->slots[i].value != NULL; i = after(m, i)) {
		if (distance(m, home(m, m->slots[i].id), i) >= distance(m, hole, i)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct idmap_slot){.value = NULL};
	m->count--;
	return value;
}

size_t
idmap_count(const struct idmap *m)
{
	return m->count;
}

void *
idmap_next(const struct idmap *m, size_t *at)
{
	while (*at < m->cap) {
		void *value = m->slots[(*at)++].value;

		if (value != NULL)
			return value;
	}
	return NULL;
}
