/* idmap: a map from numbers to pointers. See idmap.h; probing and removing as in hash.c. */
#include "common/idmap.h"

#include <stdlib.h>

#include "common/xalloc.h"

#define CAP_FIRST 16

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

/* The slot of the id, or the empty one where it would go. The map has slots. */
static struct idmap_slot *
locate(const struct idmap *m, uint64_t id)
{
	size_t i = idmap_home(id, m->cap);

	while (m->slots[i].value != NULL && m->slots[i].id != id)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

static void
grow(struct idmap *m)
{
	struct idmap_slot *old = m->slots;
	size_t cap = m->cap;

	m->cap = cap > 0 ? cap * 2 : CAP_FIRST;
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
	size_t mask = m->cap - 1, hole;
	struct idmap_slot *slot;
	void *value;

	if (m->count == 0)
		return NULL;
	slot = locate(m, id);
	value = slot->value;
	if (value == NULL)
		return NULL;
	hole = (size_t)(slot - m->slots);
	for (size_t i = (hole + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
		if (((i - idmap_home(m->slots[i].id, m->cap)) & mask) >= ((i - hole) & mask)) {
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
