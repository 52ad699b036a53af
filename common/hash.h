/*
 * hash: a map from octets to pointers. Open addressing; the hash function is
 * keyed at random (SipHash), so strangers who choose keys cannot make them collide.
 *
 * Keys are borrowed: what a key points to belongs to the caller, usually to the
 * object it leads to, and stays unchanged as long as it is in the map. Values
 * are never NULL. Keys are compared octet by octet: callers bring the canonical form.
 */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

struct hash_slot;

struct hash {
	struct hash_slot
	    *slots; /* cap of them, a power of two; NULL until the first insertion */
	size_t cap, count;
	uint64_t secret[2];
};

/* An empty map. Allocates nothing. */
void hash_init(struct hash *h);

/* Frees the map's own memory, neither keys nor values; it is empty then. */
void hash_release(struct hash *h);

/* The value of a key, or NULL. */
void *hash_find(const struct hash *h, struct span key);

/* 0, or -1 (and nothing changed) if the key is present. */
int hash_insert(struct hash *h, struct span key, void *value);

/* Takes a key out and returns its value, or NULL if it was not there. */
void *hash_remove(struct hash *h, struct span key);

size_t hash_count(const struct hash *h);

/*
 * All values, in no order: size_t at = 0; while ((v = hash_next(&h, &at)) != NULL). The map must
 * not change meanwhile; to empty it, walk it freeing the values and then release it.
 */
void *hash_next(const struct hash *h, size_t *at);

/* SipHash-1-3 of the octets (Aumasson, Bernstein), for tables kept elsewhere. */
uint64_t hash_octets(const uint64_t secret[2], const void *p, size_t n);

#endif
