/* connection_pool: connections kept for the next message. See connection_pool.h. */
#include "deliver/connection_pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/xalloc.h"

#define SWEEP_MS 500

struct connection {
	TAILQ_ENTRY(connection) link;	   /* all, or idle ones, oldest first */
	TAILQ_ENTRY(connection) same_link; /* idle ones of the same destination */
	struct connection_pool *pool;
	struct smtp_client *client;
	void *owner; /* NULL: nobody's */
	bool idle, keep;
	uint64_t idle_since_ms;
	struct place *place; /* if idle */
	char *destination;
	char host[DOMAIN_MAX + 1];
};

TAILQ_HEAD(connections, connection);

/* Idle connections of one destination. */
struct place {
	char *destination;
	struct connections idle;
};

struct connection_pool {
	struct event_base *base;
	const struct connection_ops *ops;
	struct event *sweep;
	struct connections busy, idle;
	size_t nidle;
	struct hash places;
};

/* --- idle or not --- */

static void
leave_idle(struct connection *c)
{
	struct connection_pool *p = c->pool;
	struct place *place = c->place;

	TAILQ_REMOVE(&p->idle, c, link);
	TAILQ_REMOVE(&place->idle, c, same_link);
	TAILQ_INSERT_TAIL(&p->busy, c, link);
	p->nidle--;
	c->idle = false;
	c->place = NULL;
	if (TAILQ_EMPTY(&place->idle)) {
		hash_remove(&p->places, span_str(place->destination));
		free(place->destination);
		free(place);
	}
}

static void
connection_free(struct connection *c)
{
	if (c->idle)
		leave_idle(c);
	TAILQ_REMOVE(&c->pool->busy, c, link);
	smtp_client_free(&c->client);
	free(c->destination);
	free(c);
}

static void
quit(struct connection *c)
{
	smtp_client_quit(&c->client);
	connection_free(c);
}

static void
become_idle(struct connection *c)
{
	struct connection_pool *p = c->pool;
	struct place *place = hash_find(&p->places, span_str(c->destination));

	if (place == NULL) {
		place = xcalloc(1, sizeof *place);
		place->destination = xstrdup(c->destination);
		TAILQ_INIT(&place->idle);
		hash_insert(&p->places, span_str(place->destination), place);
	}
	TAILQ_REMOVE(&p->busy, c, link);
	TAILQ_INSERT_TAIL(&p->idle, c, link);
	TAILQ_INSERT_HEAD(&place->idle, c, same_link); /* the warmest first */
	p->nidle++;
	c->idle = true;
	c->place = place;
	c->idle_since_ms = clock_mono_ms();
	if (p->nidle > CONNECTION_IDLE_MAX)
		quit(TAILQ_FIRST(&p->idle));
	if (!event_pending(p->sweep, EV_TIMEOUT, NULL))
		event_add(p->sweep, &(struct timeval){0, SWEEP_MS * 1000});
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct connection_pool *p = arg;
	uint64_t now = clock_mono_ms();
	struct connection *c;

	(void)fd, (void)what;
	while (
	    (c = TAILQ_FIRST(&p->idle)) != NULL && now - c->idle_since_ms >= CONNECTION_IDLE_MS)
		quit(c);
	if (c != NULL)
		event_add(p->sweep, &(struct timeval){0, SWEEP_MS * 1000});
}

/* --- the client's callbacks --- */

static void
on_ready(struct smtp_client *client, void *arg)
{
	struct connection *c = arg;

	if (c->owner != NULL)
		c->pool->ops->on_ready(c, c->owner);
	else if (c->keep && smtp_client_count(client) < CONNECTION_MESSAGES_MAX &&
		 !smtp_client_is_spent(client))
		become_idle(c);
	else
		quit(c);
}

static void
on_done(struct smtp_client *client, struct smtp_transaction *t, enum smtp_outcome outcome,
    void *arg)
{
	struct connection *c = arg;

	(void)client, (void)t;
	if (c->owner != NULL)
		c->pool->ops->on_done(c, outcome, c->owner);
}

static void
on_closed(struct smtp_client *client, enum smtp_stage stage, const struct verdict *v, void *arg)
{
	struct connection *c = arg;

	(void)client;
	if (c->owner != NULL)
		c->pool->ops->on_closed(c, stage, v, c->owner);
	connection_free(c);
}

static const struct smtp_client_ops client_ops = {
    .on_ready = on_ready, .on_done = on_done, .on_closed = on_closed};

/* --- for owners --- */

struct connection_pool *
connection_pool_new(struct event_base *base, const struct connection_ops *ops)
{
	struct connection_pool *p = xcalloc(1, sizeof *p);

	p->base = base;
	p->ops = ops;
	TAILQ_INIT(&p->busy);
	TAILQ_INIT(&p->idle);
	hash_init(&p->places);
	p->sweep = evtimer_new(base, on_sweep, p);
	return p;
}

void
connection_pool_free(struct connection_pool **pp)
{
	struct connection_pool *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	while (!TAILQ_EMPTY(&p->idle))
		quit(TAILQ_FIRST(&p->idle));
	while (!TAILQ_EMPTY(&p->busy))
		connection_free(TAILQ_FIRST(&p->busy));
	hash_release(&p->places);
	event_free(p->sweep);
	free(p);
}

struct connection *
connection_pool_take(struct connection_pool *p, const char *destination, void *owner)
{
	struct place *place = hash_find(&p->places, span_str(destination));
	struct connection *c;

	if (place == NULL)
		return NULL;
	c = TAILQ_FIRST(&place->idle);
	leave_idle(c);
	c->owner = owner;
	return c;
}

struct connection *
connection_pool_open(struct connection_pool *p, const char *destination,
    const struct route_target *target, const struct smtp_options *options, void *owner)
{
	struct connection *c = xcalloc(1, sizeof *c);
	struct smtp_options o = *options;
	struct netaddr literal;

	c->pool = p;
	c->owner = owner;
	c->destination = xstrdup(destination);
	memcpy(c->host, target->host, sizeof c->host);
	if (netaddr_parse(span_str(c->host), &literal) != 0)
		o.sni = c->host; /* RFC 6066 3: no addresses */
	TAILQ_INSERT_TAIL(&p->busy, c, link);
	c->client = smtp_client_connect(p->base, &target->address, &o, &client_ops, c);
	return c;
}

void
connection_send(struct connection *c, struct smtp_transaction *t)
{
	smtp_client_send(c->client, t);
}

void
connection_release(struct connection *c, bool keep)
{
	c->owner = NULL;
	c->keep = keep;
}

const char *
connection_host(const struct connection *c)
{
	return c->host;
}
