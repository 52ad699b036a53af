/*
 * atom: interned strings. See atom.h. Open addressing with linear probing, as in
 * hash.c, but a slot is one pointer: with a million different reverse-paths the
 * table is what counts. The hash function is keyed, since strangers choose the texts.
 */
#include "common/atom.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/hash.h"
#include "common/log.h"
#include "common/xalloc.h"

#define CAP_FIRST 64

struct atom {
	struct atom_table *table;
	uint32_t refs;
	uint32_t code; /* of the hash */
	char text[];
};

struct atom_table {
	struct atom **slots; /* cap of them, a power of two, at most three quarters in use */
	size_t cap, count;
	uint64_t secret[2];
};

static struct atom *
atom_of(const char *text)
{
	return (struct atom *)((uintptr_t)text - offsetof(struct atom, text));
}

struct atom_table *
atom_table_new(void)
{
	struct atom_table *t = xcalloc(1, sizeof *t);

	while (getrandom(t->secret, sizeof t->secret, 0) != sizeof t->secret)
		if (errno != EINTR)
			fatal("getrandom");
	t->cap = CAP_FIRST;
	t->slots = xcalloc(t->cap, sizeof(struct atom *));
	return t;
}

void
atom_table_free(struct atom_table **tp)
{
	struct atom_table *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	for (size_t i = 0; i < t->cap; i++)
		free(t->slots[i]);
	free(t->slots);
	free(t);
}

static bool
atom_is(const struct atom *a, uint32_t code, struct span text)
{
	return a->code == code && strncmp(a->text, text.p, text.len) == 0 &&
	       a->text[text.len] == '\0';
}

/* The slot of this text, or the empty one where it would go. */
static size_t
locate(const struct atom_table *t, uint32_t code, struct span text)
{
	size_t i = code & (t->cap - 1);

	while (t->slots[i] != NULL && !atom_is(t->slots[i], code, text))
		i = (i + 1) & (t->cap - 1);
	return i;
}

static void
grow(struct atom_table *t)
{
	struct atom **old = t->slots;
	size_t cap = t->cap;

	t->cap = cap * 2;
	t->slots = xcalloc(t->cap, sizeof(struct atom *));
	for (size_t k = 0; k < cap; k++) {
		size_t i;

		if (old[k] == NULL)
			continue;
		i = old[k]->code & (t->cap - 1);
		while (t->slots[i] != NULL)
			i = (i + 1) & (t->cap - 1);
		t->slots[i] = old[k];
	}
	free(old);
}

const char *
atom_get(struct atom_table *t, struct span text)
{
	const char *end;
	struct atom *a;
	uint32_t code;
	size_t i;

	if (text.len == 0)
		text = span_str("");
	end = memchr(text.p, '\0', text.len);
	if (end != NULL)
		text.len = (size_t)(end - text.p);
	code = (uint32_t)hash_octets(t->secret, text.p, text.len);
	i = locate(t, code, text);
	if (t->slots[i] != NULL) {
		t->slots[i]->refs++;
		return t->slots[i]->text;
	}
	if (t->count >= t->cap / 4 * 3) {
		grow(t);
		i = locate(t, code, text);
	}
	a = xmalloc(sizeof *a + text.len + 1);
	*a = (struct atom){.table = t, .refs = 1, .code = code};
	memcpy(a->text, text.p, text.len);
	a->text[text.len] = '\0';
	t->slots[i] = a;
	t->count++;
	return a->text;
}

/* Takes an atom out of the table; later ones of the run move back, as in hash_remove. */
static void
leave(struct atom_table *t, const struct atom *a)
{
	size_t mask = t->cap - 1, hole = a->code & mask;

	while (t->slots[hole] != a)
		hole = (hole + 1) & mask;
	for (size_t i = (hole + 1) & mask; t->slots[i] != NULL; i = (i + 1) & mask) {
		if (((i - t->slots[i]->code) & mask) >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = NULL;
	t->count--;
}

void
atom_unref(const char **text)
{
	struct atom *a;

	if (*text == NULL)
		return;
	a = atom_of(*text);
	*text = NULL;
	if (--a->refs > 0)
		return;
	leave(a->table, a);
	free(a);
}

struct atom_table *
atom_table_of(const char *text)
{
	return atom_of(text)->table;
}

size_t
atom_count(const struct atom_table *t)
{
	return t->count;
}
