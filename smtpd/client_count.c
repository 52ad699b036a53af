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

void
client_count_init(struct client_count *c)
{
	hash_init(&c->clients);
}

void
client_count_release(struct client_count *c)
{
	struct client *one;
	size_t at = 0;

	while ((one = hash_next(&c->clients, &at)) != NULL)
		free(one);
	hash_release(&c->clients);
}

int
client_count_enter(struct client_count *c, const struct session_origin *origin, uint32_t limit)
{
	char key[KEY_MAX];
	struct span k = key_of(origin, key);
	struct client *one = hash_find(&c->clients, k);

	if (limit == 0 || (one != NULL && one->count >= limit))
		return -1;
	if (one == NULL) {
		one = xcalloc(1, sizeof *one);
		memcpy(one->key, k.p, k.len);
		one->key_len = k.len;
		hash_insert(&c->clients, span_make(one->key, one->key_len), one);
	}
	one->count++;
	return 0;
}

void
client_count_leave(struct client_count *c, const struct session_origin *origin)
{
	char key[KEY_MAX];
	struct span k = key_of(origin, key);
	struct client *one = hash_find(&c->clients, k);

	if (one == NULL || --one->count > 0)
		return;
	hash_remove(&c->clients, k);
	free(one);
}

uint32_t
client_count_get(const struct client_count *c, const struct session_origin *origin)
{
	char key[KEY_MAX];
	const struct client *one = hash_find(&c->clients, key_of(origin, key));

	return one != NULL ? one->count : 0;
}
