/* tls_names: which certificate for which name. See tls_names.h. Used by tls_handshake, on the loop's thread. */
#include "smtpd/tls_names.h"

#include <stdlib.h>

#include "common/hash.h"
#include "common/xalloc.h"

struct tls_name {
	TAILQ_ENTRY(tls_name) link;
	struct tls_names *all;
	char *name;
	struct tls_identity *identity; /* NULL: none yet */
	uint64_t fresh_until;
	bool outdated; /* the answer that is waited for was asked for before all were expired */
	struct tls_source_call call;
	TAILQ_HEAD(, tls_names_wait) waiting;
};

struct tls_names {
	struct tls_provider *provider;
	const struct tls_source_ops *ops;
	void *source;
	uint64_t (*clock)(void);
	struct hash names;
	TAILQ_HEAD(tls_name_list, tls_name) list; /* most recently used first */
};

struct tls_names *
tls_names_new(struct tls_provider *provider, const struct tls_source_ops *ops, void *source,
    uint64_t (*clock)(void))
{
	struct tls_names *n = xcalloc(1, sizeof *n);

	n->provider = provider;
	n->ops = ops;
	n->source = source;
	n->clock = clock;
	hash_init(&n->names);
	TAILQ_INIT(&n->list);
	return n;
}

static void
name_free(struct tls_name *e)
{
	struct tls_names *n = e->all;

	n->ops->cancel(n->source, &e->call);
	hash_remove(&n->names, span_str(e->name));
	TAILQ_REMOVE(&n->list, e, link);
	tls_identity_unref(&e->identity);
	free(e->name);
	free(e);
}

void
tls_names_free(struct tls_names **np)
{
	struct tls_names *n = *np;

	if (n == NULL)
		return;
	*np = NULL;
	while (!TAILQ_EMPTY(&n->list))
		name_free(TAILQ_FIRST(&n->list));
	hash_release(&n->names);
	free(n);
}

/* Names that somebody waits for stay; there are never as many as that. */
static void
make_room(struct tls_names *n)
{
	struct tls_name *e, *before;

	for (e = TAILQ_LAST(&n->list, tls_name_list);
	     e != NULL && hash_count(&n->names) >= TLS_NAMES_MAX; e = before) {
		before = TAILQ_PREV(e, tls_name_list, link);
		if (TAILQ_EMPTY(&e->waiting))
			name_free(e);
	}
}

static struct tls_name *
obtain(struct tls_names *n, struct span name)
{
	struct tls_name *e = hash_find(&n->names, name), *own;

	if (e != NULL) {
		TAILQ_REMOVE(&n->list, e, link);
		TAILQ_INSERT_HEAD(&n->list, e, link);
		return e;
	}
	make_room(n);
	e = xcalloc(1, sizeof *e);
	e->all = n;
	e->name = xspandup(name);
	TAILQ_INIT(&e->waiting);
	/* Most names have no certificate of their own: to begin with, this one is this host's. */
	own = hash_find(&n->names, span_str(""));
	if (own != NULL && own->identity != NULL)
		e->identity = tls_identity_ref(own->identity);
	hash_insert(&n->names, span_str(e->name), e);
	TAILQ_INSERT_HEAD(&n->list, e, link);
	return e;
}

static void
on_answer(const struct tls_source_answer *a, void *arg)
{
	struct tls_name *e = arg;
	struct tls_names *n = e->all;
	struct tls_identity *i = NULL;
	struct tls_names_wait *w;

	if (a->told && a->unchanged)
		i = e->identity;
	else if (a->told)
		i = tls_identity_new(n->provider, a->chain, a->second, n->ops->sign, n->source);
	if (i != NULL) {
		if (i != e->identity)
			tls_identity_unref(&e->identity);
		e->identity = i;
		e->fresh_until = e->outdated ? 0 : n->clock() + TLS_NAMES_FRESH_MS;
	}
	e->outdated = false;
	/* Whoever is called may ask again, for this name or another, or go away; not e, while it is waited for. */
	if (i != NULL)
		tls_identity_ref(i);
	while ((w = TAILQ_FIRST(&e->waiting)) != NULL) {
		bool last = TAILQ_NEXT(w, link) == NULL;

		tls_names_cancel(w);
		w->fn(i, w->arg);
		if (last)
			break;
	}
	tls_identity_unref(&i);
}

struct tls_identity *
tls_names_get(struct tls_names *n, struct span name, struct tls_names_wait *w)
{
	struct tls_name *e = obtain(n, name);

	if (e->identity != NULL && n->clock() < e->fresh_until)
		return e->identity;
	w->name = e;
	TAILQ_INSERT_TAIL(&e->waiting, w, link);
	if (e->call.id == 0) {
		e->call.fn = on_answer;
		e->call.arg = e;
		n->ops->ask(n->source, span_str(e->name),
		    e->identity != NULL ? tls_identity_id(e->identity) : "", &e->call);
	}
	return NULL;
}

void
tls_names_cancel(struct tls_names_wait *w)
{
	if (w->name == NULL)
		return;
	TAILQ_REMOVE(&w->name->waiting, w, link);
	w->name = NULL;
}

void
tls_names_expire(struct tls_names *n)
{
	struct tls_name *e;

	TAILQ_FOREACH (e, &n->list, link) {
		e->fresh_until = 0;
		e->outdated = e->call.id != 0;
	}
}

size_t
tls_names_count(const struct tls_names *n)
{
	return hash_count(&n->names);
}
