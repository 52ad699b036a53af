/* auth_throttle: failed logins, counted. See auth_throttle.h. Leaky buckets in a table of fixed size. */
#include "conf/auth_throttle.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/xalloc.h"

#define BUCKETS 16384
#define PROBES	8

/* A failure weighs this much, so that leaking does not lose fractions. */
#define WEIGHT UINT64_C(1000000)

struct bucket {
	uint64_t key; /* 0: unused */
	uint64_t level;
	uint64_t at_ms; /* when level was right */
};

struct auth_throttle {
	uint64_t secret; /* nobody outside knows whose buckets are neighbours */
	uint32_t per_client, per_account;
	struct bucket v[BUCKETS];
};

struct auth_throttle *
auth_throttle_new(void)
{
	struct auth_throttle *t = xcalloc(1, sizeof *t);

	if (getrandom(&t->secret, sizeof t->secret, 0) != sizeof t->secret)
		fatal("getrandom");
	t->per_client = t->per_account = 1;
	return t;
}

void
auth_throttle_free(struct auth_throttle **t)
{
	free(*t);
	*t = NULL;
}

void
auth_throttle_configure(struct auth_throttle *t, uint32_t per_client, uint32_t per_account)
{
	t->per_client = per_client;
	t->per_account = per_account;
}

/* FNV-1a from a secret start, mixed so that the low bits depend on all. Never 0. */
static uint64_t
key_of(const struct auth_throttle *t, char kind, const void *p, size_t n)
{
	const unsigned char *octets = p;
	uint64_t h = (t->secret ^ (unsigned char)kind) * UINT64_C(1099511628211);

	for (size_t i = 0; i < n; i++)
		h = (h ^ octets[i]) * UINT64_C(1099511628211);
	h ^= h >> 32;
	h *= UINT64_C(0x9E3779B97F4A7C15);
	h ^= h >> 29;
	return h | 1;
}

static uint64_t
key_of_client(const struct auth_throttle *t, const struct netaddr *a)
{
	return key_of(t, a->family == AF_INET ? '4' : '6', a->ip, a->family == AF_INET ? 3 : 8);
}

static void
leak(struct bucket *b, uint32_t limit, uint64_t now_ms)
{
	uint64_t gone = now_ms > b->at_ms ? now_ms - b->at_ms : 0, leaked;

	if (gone > AUTH_THROTTLE_MS)
		gone = AUTH_THROTTLE_MS;
	leaked = gone * WEIGHT * limit / AUTH_THROTTLE_MS;
	b->level -= leaked < b->level ? leaked : b->level;
	b->at_ms = now_ms;
}

static struct bucket *
find(struct auth_throttle *t, uint64_t key)
{
	for (size_t i = 0; i < PROBES; i++) {
		struct bucket *b = &t->v[(key + i) % BUCKETS];

		if (b->key == key)
			return b;
	}
	return NULL;
}

/* Its bucket, or the emptiest of those it may have. */
static struct bucket *
obtain(struct auth_throttle *t, uint64_t key, uint64_t now_ms)
{
	struct bucket *b = find(t, key);

	if (b != NULL)
		return b;
	b = &t->v[key % BUCKETS];
	for (size_t i = 1; i < PROBES; i++) {
		struct bucket *other = &t->v[(key + i) % BUCKETS];

		if (other->level < b->level)
			b = other;
	}
	*b = (struct bucket){.key = key, .at_ms = now_ms};
	return b;
}

static bool
is_full(struct auth_throttle *t, uint64_t key, uint32_t limit, uint64_t now_ms)
{
	struct bucket *b = obtain(t, key, now_ms);

	leak(b, limit, now_ms);
	return b->level + WEIGHT > limit * WEIGHT;
}

bool
auth_throttle_refuses(
    struct auth_throttle *t, const struct netaddr *client, struct span account, uint64_t now_ms)
{
	uint64_t who = client != NULL ? key_of_client(t, client) : 0;
	uint64_t name = key_of(t, 'a', account.p, account.len);

	if ((who != 0 && is_full(t, who, t->per_client, now_ms)) ||
	    is_full(t, name, t->per_account, now_ms))
		return true;
	if (who != 0)
		obtain(t, who, now_ms)->level += WEIGHT;
	obtain(t, name, now_ms)->level += WEIGHT;
	return false;
}

static void
take_back(struct bucket *b)
{
	if (b != NULL)
		b->level -= b->level < WEIGHT ? b->level : WEIGHT;
}

void
auth_throttle_take_back(
    struct auth_throttle *t, const struct netaddr *client, struct span account)
{
	if (client != NULL)
		take_back(find(t, key_of_client(t, client)));
	take_back(find(t, key_of(t, 'a', account.p, account.len)));
}
