/* key_store: certificates and private keys in use. See key_store.h. */
#include "conf/key_store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/xalloc.h"

/* A pair, by its id. */
struct held {
	TAILQ_ENTRY(held) link;
	struct key_pair pair;
};

/* A path at which there is a pair, or a version that cannot be used. */
struct place {
	TAILQ_ENTRY(place) link;
	char *path;
	char *stamp;		   /* of the version seen last */
	char id[KEY_PAIR_ID_SIZE]; /* of the pair in force; "": none */
	int64_t again; /* the version was refused, and is good from then on; 0: or is not */
	unsigned own;  /* as in struct key_files */
};

struct key_store {
	struct hash pairs, places;
	TAILQ_HEAD(pair_list_head, held) pair_list; /* most recently used first */
	TAILQ_HEAD(place_list_head, place) place_list;
	size_t max;
	key_store_complain_fn *complain;
	void *arg;
};

static void
to_log(const char *text, void *arg)
{
	(void)arg;
	log_warnx("%s", text);
}

static void __attribute__((format(printf, 2, 3)))
complain(struct key_store *s, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	s->complain(text, s->arg);
}

struct key_store *
key_store_new(size_t max, key_store_complain_fn *fn, void *arg)
{
	struct key_store *s = xcalloc(1, sizeof *s);

	hash_init(&s->pairs);
	hash_init(&s->places);
	TAILQ_INIT(&s->pair_list);
	TAILQ_INIT(&s->place_list);
	s->max = max;
	s->complain = fn != NULL ? fn : to_log;
	s->arg = arg;
	return s;
}

static void
held_free(struct key_store *s, struct held *h)
{
	hash_remove(&s->pairs, span_str(h->pair.id));
	TAILQ_REMOVE(&s->pair_list, h, link);
	key_pair_release(&h->pair);
	free(h);
}

static void
place_free(struct key_store *s, struct place *p)
{
	hash_remove(&s->places, span_str(p->path));
	TAILQ_REMOVE(&s->place_list, p, link);
	free(p->path);
	free(p->stamp);
	free(p);
}

void
key_store_free(struct key_store **sp)
{
	struct key_store *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	while (!TAILQ_EMPTY(&s->pair_list))
		held_free(s, TAILQ_FIRST(&s->pair_list));
	while (!TAILQ_EMPTY(&s->place_list))
		place_free(s, TAILQ_FIRST(&s->place_list));
	hash_release(&s->pairs);
	hash_release(&s->places);
	free(s);
}

static struct held *
find_pair(struct key_store *s, struct span id)
{
	struct held *h = hash_find(&s->pairs, id);

	if (h != NULL) {
		TAILQ_REMOVE(&s->pair_list, h, link);
		TAILQ_INSERT_HEAD(&s->pair_list, h, link);
	}
	return h;
}

static struct place *
find_place(struct key_store *s, struct span path)
{
	struct place *p = hash_find(&s->places, path);

	if (p != NULL) {
		TAILQ_REMOVE(&s->place_list, p, link);
		TAILQ_INSERT_HEAD(&s->place_list, p, link);
	}
	return p;
}

/* Is this a pair of this host's own? */
static bool
is_own(struct key_store *s, const char *id)
{
	struct place *p;

	TAILQ_FOREACH (p, &s->place_list, link)
		if (p->own > 0 && strcmp(p->id, id) == 0)
			return true;
	return false;
}

/* Frees the place, or pair, that was not used for the longest time. This host's own counts as used. */
static void
make_room_for_place(struct key_store *s)
{
	struct place *p = TAILQ_LAST(&s->place_list, place_list_head);

	while (p != NULL && p->own > 0)
		p = TAILQ_PREV(p, place_list_head, link);
	if (p != NULL)
		place_free(s, p);
}

static void
make_room_for_pair(struct key_store *s)
{
	struct held *h = TAILQ_LAST(&s->pair_list, pair_list_head);

	while (h != NULL && is_own(s, h->pair.id))
		h = TAILQ_PREV(h, pair_list_head, link);
	if (h != NULL)
		held_free(s, h);
}

static struct place *
obtain_place(struct key_store *s, struct span path)
{
	struct place *p = find_place(s, path);

	if (p != NULL)
		return p;
	if (hash_count(&s->places) >= s->max)
		make_room_for_place(s);
	p = xcalloc(1, sizeof *p);
	p->path = xspandup(path);
	hash_insert(&s->places, span_str(p->path), p);
	TAILQ_INSERT_HEAD(&s->place_list, p, link);
	return p;
}

bool
key_store_is_current(struct key_store *s, struct span path, struct span stamp)
{
	struct place *p = find_place(s, path);

	/* A pair that had to make room is read again. */
	return p != NULL && span_is(stamp, p->stamp) &&
	       (p->again == 0 || clock_wall() < p->again) &&
	       (p->id[0] == '\0' || find_pair(s, span_str(p->id)) != NULL);
}

/* Takes the pair over. */
static void
put_in_force(struct key_store *s, struct place *p, struct key_pair *pair)
{
	struct held *h;

	snprintf(p->id, sizeof p->id, "%s", pair->id);
	if (find_pair(s, span_str(pair->id)) != NULL) {
		key_pair_release(pair);
		return;
	}
	if (hash_count(&s->pairs) >= s->max)
		make_room_for_pair(s);
	h = xcalloc(1, sizeof *h);
	h->pair = *pair;
	hash_insert(&s->pairs, span_str(h->pair.id), h);
	TAILQ_INSERT_HEAD(&s->pair_list, h, link);
}

/* A pair that can be used: is it better than the one in force? */
static void
judge_term(struct key_store *s, struct place *p, struct key_pair *pair)
{
	struct held *before = p->id[0] != '\0' ? find_pair(s, span_str(p->id)) : NULL;
	int64_t now = clock_wall(), begins;
	char text[KEY_PAIR_TERM_SIZE];
	enum key_pair_term term = key_pair_term(pair, now, text);
	bool timely = key_pair_is_timely(pair, now, &begins);

	if (!timely && before != NULL && strcmp(before->pair.id, pair->id) != 0 &&
	    key_pair_is_timely(&before->pair, now, NULL)) {
		complain(s, "%s: %s; the pair before, which is valid, stays in force", p->path,
		    text);
		if (term == KEY_PAIR_NOT_YET)
			p->again = begins;
		key_pair_release(pair);
		return;
	}
	if (term != KEY_PAIR_VALID)
		complain(s, "%s: %s%s", p->path, text,
		    timely ? ""
			   : "; it is in use all the same, and clients that look at it refuse");
	put_in_force(s, p, pair);
}

/* The files of this host's own are elsewhere than before: what was in force there is so here, until there is better. */
static void
take_over(struct key_store *s, struct place *p)
{
	struct place *before;

	TAILQ_FOREACH (before, &s->place_list, link) {
		if (before == p || before->own != p->own)
			continue;
		before->own = 0;
		if (p->id[0] == '\0')
			memcpy(p->id, before->id, sizeof p->id);
	}
}

void
key_store_take(struct key_store *s, const struct key_files *f)
{
	struct place *p = obtain_place(s, f->path);
	const char *rest;
	enum key_pair_file file;
	struct key_pair pair;
	struct buf why;

	free(p->stamp);
	p->stamp = xspandup(f->stamp);
	p->own = f->own;
	p->again = 0;
	if (p->own > 0)
		take_over(s, p);
	rest = p->id[0] != '\0' ? "the pair before stays in force" : "it is not used";
	buf_init(&why, 1024);
	if (f->problem.len > 0) {
		complain(s, "%.*s; %s", SPAN_ARG(f->problem), rest);
	} else if (key_pair_parse(f->certificate, f->key, &pair, &file, &why) != 0) {
		struct span path = file == KEY_PAIR_KEY ? f->key_path : f->path;

		complain(s, "%.*s: %s; %s", SPAN_ARG(path), buf_str(&why), rest);
	} else {
		judge_term(s, p, &pair);
	}
	buf_release(&why);
}

void
key_store_remind(struct key_store *s)
{
	char text[KEY_PAIR_TERM_SIZE];
	struct place *p;

	TAILQ_FOREACH (p, &s->place_list, link) {
		struct held *h = hash_find(&s->pairs, span_str(p->id));

		if (h != NULL && key_pair_term(&h->pair, clock_wall(), text) != KEY_PAIR_VALID)
			complain(s, "%s: %s", p->path, text);
	}
}

const struct key_pair *
key_store_at(struct key_store *s, struct span path)
{
	struct place *p = find_place(s, path);

	return p != NULL && p->id[0] != '\0' ? key_store_find(s, span_str(p->id)) : NULL;
}

const struct key_pair *
key_store_find(struct key_store *s, struct span id)
{
	struct held *h = find_pair(s, id);

	return h != NULL ? &h->pair : NULL;
}

size_t
key_store_count(const struct key_store *s)
{
	return hash_count(&s->pairs);
}
