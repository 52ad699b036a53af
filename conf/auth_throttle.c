/* auth_throttle: failed logins, counted. See auth_throttle.h. Leaky buckets in a table of fixed size. */
#include "conf/auth_throttle.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/xalloc.h"

#define BUCKETS 16384
#define KNOWN	16384
#define PROBES	8

/* A failure weighs this much, so that leaking does not lose fractions. */
#define WEIGHT UINT64_C(1000000)

struct bucket {
	uint64_t key; /* 0: unused */
	uint64_t level;
	uint64_t at_ms; /* when level was right */
};

/* A network from which an account has logged in. */
struct known {
	uint64_t key; /* 0: unused */
	uint64_t at_ms;
};

struct auth_throttle {
	uint64_t secret; /* nobody outside knows whose buckets are neighbours */
	struct auth_throttle_limits limits;
	struct bucket v[BUCKETS];
	struct known known[KNOWN];
};

/* The buckets of an attempt. */
struct keys {
	uint64_t client, both, account;
};

struct auth_throttle *
auth_throttle_new(void)
{
	struct auth_throttle *t = xcalloc(1, sizeof *t);

	if (getrandom(&t->secret, sizeof t->secret, 0) != sizeof t->secret)
		fatal("getrandom");
	t->limits = (struct auth_throttle_limits){1, 1, 1};
	return t;
}

void
auth_throttle_free(struct auth_throttle **t)
{
	free(*t);
	*t = NULL;
}

void
auth_throttle_configure(struct auth_throttle *t, const struct auth_throttle_limits *limits)
{
	t->limits = *limits;
}

static uint64_t
mix(uint64_t h, const void *p, size_t n)
{
	const unsigned char *octets = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ octets[i]) * UINT64_C(1099511628211);
	return h;
}

/* So that the low bits depend on all. Never 0. */
static uint64_t
finish(uint64_t h)
{
	h ^= h >> 32;
	h *= UINT64_C(0x9E3779B97F4A7C15);
	h ^= h >> 29;
	return h | 1;
}

/* FNV-1a from a secret start: of the network, of both, of the account. */
static struct keys
keys_of(const struct auth_throttle *t, const struct auth_throttle_try *what)
{
	const struct netaddr *a = what->client;
	uint64_t net = mix(t->secret, "n", 1), account = mix(t->secret, "a", 1);

	if (a != NULL)
		net = mix(mix(net, a->family == AF_INET ? "4" : "6", 1), a->ip,
		    a->family == AF_INET ? 3 : 8);
	account = mix(account, what->account.p, what->account.len);
	return (struct keys){.client = finish(net),
	    .both = finish(mix(mix(net, "b", 1), what->account.p, what->account.len)),
	    .account = finish(account)};
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
	struct bucket *b = find(t, key);

	if (b == NULL)
		return false;
	leak(b, limit, now_ms);
	return b->level + WEIGHT > limit * WEIGHT;
}

static bool
is_known(const struct auth_throttle *t, uint64_t key, uint64_t now_ms)
{
	for (size_t i = 0; i < PROBES; i++) {
		const struct known *k = &t->known[(key + i) % KNOWN];

		if (k->key == key)
			return now_ms < k->at_ms + AUTH_THROTTLE_KNOWN_MS;
	}
	return false;
}

/* In the place of the one that was seen longest ago. */
static void
remember(struct auth_throttle *t, uint64_t key, uint64_t now_ms)
{
	struct known *oldest = &t->known[key % KNOWN];

	for (size_t i = 0; i < PROBES; i++) {
		struct known *k = &t->known[(key + i) % KNOWN];

		if (k->key == key) {
			oldest = k;
			break;
		}
		if (k->key == 0 ? oldest->key != 0
				: oldest->key != 0 && k->at_ms < oldest->at_ms)
			oldest = k;
	}
	*oldest = (struct known){key, now_ms};
}

static enum auth_throttle_answer
judge(struct auth_throttle *t, const struct auth_throttle_try *what, const struct keys *k,
    uint64_t now_ms)
{
	if ((what->client != NULL && is_full(t, k->client, t->limits.per_client, now_ms)) ||
	    is_full(t, k->both, t->limits.per_account, now_ms))
		return AUTH_THROTTLE_REFUSED;
	if (!is_full(t, k->account, t->limits.ceiling, now_ms))
		return AUTH_THROTTLE_PASSES;
	return is_known(t, k->both, now_ms) ? AUTH_THROTTLE_SLOW : AUTH_THROTTLE_REFUSED;
}

enum auth_throttle_answer
auth_throttle_begin(
    struct auth_throttle *t, const struct auth_throttle_try *what, uint64_t now_ms)
{
	struct keys k = keys_of(t, what);
	enum auth_throttle_answer answer = judge(t, what, &k, now_ms);

	if (answer == AUTH_THROTTLE_REFUSED)
		return answer;
	if (what->client != NULL)
		obtain(t, k.client, now_ms)->level += WEIGHT;
	obtain(t, k.both, now_ms)->level += WEIGHT;
	/* No higher than the ceiling: what known networks add is not to last longer. */
	if (answer == AUTH_THROTTLE_PASSES)
		obtain(t, k.account, now_ms)->level += WEIGHT;
	return answer;
}

bool
auth_throttle_refuses(
    struct auth_throttle *t, const struct auth_throttle_try *what, uint64_t now_ms)
{
	struct keys k = keys_of(t, what);

	return judge(t, what, &k, now_ms) == AUTH_THROTTLE_REFUSED;
}

static void
take_back(struct bucket *b)
{
	if (b != NULL)
		b->level -= b->level < WEIGHT ? b->level : WEIGHT;
}

void
auth_throttle_take_back(struct auth_throttle *t, const struct auth_throttle_try *what)
{
	struct keys k = keys_of(t, what);

	if (what->client != NULL)
		take_back(find(t, k.client));
	take_back(find(t, k.both));
	if (!what->slow)
		take_back(find(t, k.account));
}

void
auth_throttle_succeed(
    struct auth_throttle *t, const struct auth_throttle_try *what, uint64_t now_ms)
{
	struct keys k = keys_of(t, what);

	auth_throttle_take_back(t, what);
	remember(t, k.both, now_ms);
}
