/*
 * hash: a map from octets to pointers. See hash.h.
 *
 * Linear probing with at most three quarters of the slots in use. Removing moves
 * later entries of the run back, so there are no tombstones and a map that
 * lives for months stays as fast as on its first day.
 */
#include "common/hash.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/xalloc.h"

#define CAP_FIRST 16

struct hash_slot {
	struct span key;
	void *value; /* NULL: empty */
	uint64_t code;
};

static uint64_t
rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline __attribute__((always_inline)) void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t
hash_octets(const uint64_t secret[2], const void *p, size_t n)
{
	uint64_t v[4] = {secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
	    secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573};
	const unsigned char *q = p;
	uint64_t last = (uint64_t)n << 56;

	for (; n >= 8; n -= 8, q += 8) {
		uint64_t m;

		memcpy(&m, q, sizeof m);
		m = le64toh(m);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	for (unsigned i = 0; i < n; i++)
		last |= (uint64_t)q[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void
hash_init(struct hash *h)
{
	*h = (struct hash){.count = 0};
	while (getrandom(h->secret, sizeof h->secret, 0) != sizeof h->secret)
		if (errno != EINTR)
			fatal("getrandom");
}

void
hash_release(struct hash *h)
{
	free(h->slots);
	h->slots = NULL;
	h->cap = h->count = 0;
}

/* The slot of the key, or the empty one where it would go. The map has slots. */
static struct hash_slot *
locate(const struct hash *h, struct span key, uint64_t code)
{
	size_t i = code & (h->cap - 1);

	while (h->slots[i].value != NULL &&
	       (h->slots[i].code != code || !span_eq(h->slots[i].key, key)))
		i = (i + 1) & (h->cap - 1);
	return &h->slots[i];
}

static void
grow(struct hash *h)
{
	struct hash_slot *old = h->slots;
	size_t cap = h->cap;

	h->cap = cap > 0 ? cap * 2 : CAP_FIRST;
	h->slots = xcalloc(h->cap, sizeof *h->slots);
	for (size_t i = 0; i < cap; i++)
		if (old[i].value != NULL)
			*locate(h, old[i].key, old[i].code) = old[i];
	free(old);
}

void *
hash_find(const struct hash *h, struct span key)
{
	if (h->count == 0)
		return NULL;
	return locate(h, key, hash_octets(h->secret, key.p, key.len))->value;
}

int
hash_insert(struct hash *h, struct span key, void *value)
{
	uint64_t code = hash_octets(h->secret, key.p, key.len);
	struct hash_slot *slot;

	if (h->count >= h->cap / 4 * 3)
		grow(h);
	slot = locate(h, key, code);
	if (slot->value != NULL)
		return -1;
	*slot = (struct hash_slot){key, value, code};
	h->count++;
	return 0;
}

void *
hash_remove(struct hash *h, struct span key)
{
	size_t mask = h->cap - 1, hole;
	struct hash_slot *slot;
	void *value;

	if (h->count == 0)
		return NULL;
	slot = locate(h, key, hash_octets(h->secret, key.p, key.len));
	value = slot->value;
	if (value == NULL)
		return NULL;
	hole = (size_t)(slot - h->slots);
	for (size_t i = (hole + 1) & mask; h->slots[i].value != NULL; i = (i + 1) & mask) {
		/* An entry may go back to the hole if its own place is not behind it. */
		if (((i - h->slots[i].code) & mask) >= ((i - hole) & mask)) {
			h->slots[hole] = h->slots[i];
			hole = i;
		}
	}
	h->slots[hole] = (struct hash_slot){.value = NULL};
	h->count--;
	return value;
}

size_t
hash_count(const struct hash *h)
{
	return h->count;
}

void *
hash_next(const struct hash *h, size_t *at)
{
	while (*at < h->cap) {
		void *value = h->slots[(*at)++].value;

		if (value != NULL)
			return value;
	}
	return NULL;
}
