/*
 * usage: how often something was done lately. See usage.h. Each key has a ring of
 * slots; `newest` is the number of the period's part that the latest one stands
 * for, parts being numbered from the start of the clock.
 */
#include "conf/usage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/hash.h"
#include "common/xalloc.h"

struct counted {
	TAILQ_ENTRY(counted) link;
	uint64_t newest;
	uint32_t n[USAGE_SLOTS]; /* of part p in n[p % USAGE_SLOTS] */
	size_t key_len;
	char key[];
};

struct usage {
	struct hash keys;
	TAILQ_HEAD(, counted) order; /* least recently added to first */
	size_t most;
};

struct usage *
usage_new(size_t most)
{
	struct usage *u = xcalloc(1, sizeof *u);

	hash_init(&u->keys);
	TAILQ_INIT(&u->order);
	u->most = most > 0 ? most : 1;
	return u;
}

static void
forget(struct usage *u, struct counted *c)
{
	hash_remove(&u->keys, span_make(c->key, c->key_len));
	TAILQ_REMOVE(&u->order, c, link);
	free(c);
}

void
usage_free(struct usage **up)
{
	struct usage *u = *up;

	if (u == NULL)
		return;
	*up = NULL;
	while (!TAILQ_EMPTY(&u->order))
		forget(u, TAILQ_FIRST(&u->order));
	hash_release(&u->keys);
	free(u);
}

/* How long a part of the period is. */
static uint64_t
width_of(uint64_t period_ms)
{
	uint64_t parts = USAGE_SLOTS - 1;

	return period_ms >= parts ? (period_ms + parts - 1) / parts : 1;
}

/* What is counted in a part; nothing if the ring has gone on, or the part is yet to come. */
static uint32_t
in_part(const struct counted *c, uint64_t part)
{
	return part <= c->newest && c->newest - part < USAGE_SLOTS ? c->n[part % USAGE_SLOTS]
								   : 0;
}

/* The ring's latest slot stands for the part of now. A clock never goes back, here neither. */
static void
roll(struct counted *c, uint64_t part)
{
	if (part <= c->newest)
		return;
	if (part - c->newest >= USAGE_SLOTS)
		memset(c->n, 0, sizeof c->n);
	else
		while (c->newest < part)
			c->n[++c->newest % USAGE_SLOTS] = 0;
	c->newest = part;
}

static struct counted *
obtain(struct usage *u, struct span key, uint64_t part)
{
	struct counted *c = hash_find(&u->keys, key);

	if (c != NULL) {
		TAILQ_REMOVE(&u->order, c, link);
	} else {
		if (hash_count(&u->keys) >= u->most)
			forget(u, TAILQ_FIRST(&u->order));
		c = xcalloc(1, sizeof *c + key.len);
		c->newest = part;
		c->key_len = key.len;
		memcpy(c->key, key.p, key.len);
		hash_insert(&u->keys, span_make(c->key, c->key_len), c);
	}
	TAILQ_INSERT_TAIL(&u->order, c, link);
	return c;
}

void
usage_add(struct usage *u, struct span key, uint64_t period_ms, uint32_t n, uint64_t now_ms)
{
	uint64_t part = now_ms / width_of(period_ms);
	struct counted *c = obtain(u, key, part);
	uint32_t *slot;

	roll(c, part);
	slot = &c->n[c->newest % USAGE_SLOTS];
	*slot = n > UINT32_MAX - *slot ? UINT32_MAX : *slot + n;
}

/* The first part that still counts now. */
static uint64_t
first_part(uint64_t part)
{
	return part >= USAGE_SLOTS - 1 ? part - (USAGE_SLOTS - 1) : 0;
}

static uint64_t
sum(const struct counted *c, uint64_t part)
{
	uint64_t all = 0;

	for (uint64_t p = first_part(part); p <= part; p++)
		all += in_part(c, p);
	return all;
}

uint64_t
usage_count(const struct usage *u, struct span key, uint64_t period_ms, uint64_t now_ms)
{
	const struct counted *c = hash_find(&u->keys, key);

	return c != NULL ? sum(c, now_ms / width_of(period_ms)) : 0;
}

uint64_t
usage_wait(const struct usage *u, struct span key, const struct units_rate *rate, uint32_t n,
    uint64_t now_ms)
{
	const struct counted *c = hash_find(&u->keys, key);
	uint64_t width = width_of(rate->period_ms), part = now_ms / width, left, p;

	left = c != NULL ? sum(c, part) : 0;
	p = first_part(part);
	if (left + n <= rate->count)
		return 0;
	if (left == 0)
		return USAGE_SLOTS * width;
	while (left > 0 && left + n > rate->count)
		left -= in_part(c, p++);
	/* part p - 1 had to go, and goes when it is USAGE_SLOTS old */
	return (p - 1 + USAGE_SLOTS) * width - now_ms;
}
