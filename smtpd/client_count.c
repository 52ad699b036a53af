/* client_count: connections by client. See client_count.h. Kept by the listener. */
#include "smtpd/client_count.h"

#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

#define KEY_MAX 9

struct client {
	char key[KEY_MAX]; /* what kind of client, and the octets that name it */
	size_t key_len;
	uint32_t count;
};

static struct span
key_of(const struct session_origin *o, char key[KEY_MAX])
{
	uint32_t uid = (uint32_t)o->peer_uid;
	size_t n;

	if (o->role == LISTENER_SUBMIT) {
		key[0] = 'u';
		memcpy(key + 1, &uid, sizeof uid);
		return span_make(key, 1 + sizeof uid);
	}
	n = o->client.family == AF_INET6 ? 8 : 4;
	key[0] = o->client.family == AF_INET6 ? '6' : '4';
	memcpy(key + 1, o->client.ip, n);
	return span_make(key, 1 + n);
}

/* Of the network. Empty: it has none. */
static struct span
network_of(const struct session_origin *o, char key[KEY_MAX])
{
	struct span k = key_of(o, key);

	if (o->role == LISTENER_SUBMIT)
		k.len = 0;
	else if (key[0] == '4')
		k.len--; /* the /24 */
	return k;
}

void
client_count_init(struct client_count *c)
{
	hash_init(&c->clients);
	hash_init(&c->networks);
}

static void
release(struct hash *table)
{
	struct client *one;
	size_t at = 0;

	while ((one = hash_next(table, &at)) != NULL)
		free(one);
	hash_release(table);
}

void
client_count_release(struct client_count *c)
{
	release(&c->clients);
	release(&c->networks);
}

static int
enter(struct hash *table, struct span k, uint32_t limit)
{
	struct client *one = hash_find(table, k);

	if (limit == 0 || (one != NULL && one->count >= limit))
		return -1;
	if (one == NULL) {
		one = xcalloc(1, sizeof *one);
		memcpy(one->key, k.p, k.len);
		one->key_len = k.len;
		hash_insert(table, span_make(one->key, one->key_len), one);
	}
	one->count++;
	return 0;
}

static void
leave(struct hash *table, struct span k)
{
	struct client *one = hash_find(table, k);

	if (one == NULL || --one->count > 0)
		return;
	hash_remove(table, k);
	free(one);
}

enum client_count_result
client_count_enter(struct client_count *c, const struct session_origin *origin, uint32_t limit,
    uint32_t network_limit)
{
	char key[KEY_MAX], network_key[KEY_MAX];
	struct span k = key_of(origin, key), network = network_of(origin, network_key);

	if (enter(&c->clients, k, limit) != 0)
		return CLIENT_HAS_MOST;
	if (network.len == 0 || enter(&c->networks, network, network_limit) == 0)
		return CLIENT_COUNTED;
	leave(&c->clients, k);
	return NETWORK_HAS_MOST;
}

void
client_count_leave(struct client_count *c, const struct session_origin *origin)
{
	char key[KEY_MAX];

	leave(&c->clients, key_of(origin, key));
	leave(&c->networks, network_of(origin, key));
}

uint32_t
client_count_get(const struct client_count *c, const struct session_origin *origin)
{
	char key[KEY_MAX];
	const struct client *one = hash_find(&c->clients, key_of(origin, key));

	return one != NULL ? one->count : 0;
}
