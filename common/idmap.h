/*
 * idmap: a map from 64-bit numbers to pointers, for ids that we give out
 * ourselves (messages, entries, requests). Open addressing, 16 octets a slot.
 * Numbers that strangers choose belong into a hash (common/hash.h) instead:
 * this one's order is no secret.
 */
#ifndef COMMON_IDMAP_H
#define COMMON_IDMAP_H

#include <stddef.h>
#include <stdint.h>

struct idmap_slot {
	uint64_t id;
	void *value; /* NULL: empty */
};

struct idmap {
	struct idmap_slot
	    *slots; /* cap of them, a power of two; NULL until the first insertion */
	size_t cap, count;
};

/* An empty map. Allocates nothing. */
void idmap_init(struct idmap *m);

/* Frees the map's own memory, not the values; it is empty then. */
void idmap_release(struct idmap *m);

/* The value of an id, or NULL. */
void *idmap_find(const struct idmap *m, uint64_t id);

/* 0, or -1 (and nothing changed) if the id is present. value is not NULL. */
int idmap_insert(struct idmap *m, uint64_t id, void *value);

/* Takes an id out and returns its value, or NULL if it was not there. */
void *idmap_remove(struct idmap *m, uint64_t id);

size_t idmap_count(const struct idmap *m);

/* All values, in no order, as hash_next: the map must not change meanwhile. */
void *idmap_next(const struct idmap *m, size_t *at);

/*
 * Where the search for an id begins in a table of cap slots (a power of two). Each size has an order of its own: what
 * is put in as a larger table was walked (a checkpoint) must not fill a smaller one from its beginning to its end, where
 * each search would walk over all of it.
 */
static inline size_t
idmap_home(uint64_t id, size_t cap)
{
	id += (uint64_t)__builtin_ctzll(cap) * 0x9e3779b97f4a7c15;
	id = (id ^ id >> 30) * 0xbf58476d1ce4e5b9;
	id = (id ^ id >> 27) * 0x94d049bb133111eb;
	return (id ^ id >> 31) & (cap - 1);
}

#endif
