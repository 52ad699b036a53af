/*
 * section_names: numbers for the names of sections. See section_names.h. Invariant: the name
 * number n is v[n - 1], and the map leads from it there.
 */
#include "queue/section_names.h"

#include <stdlib.h>

#include "common/hash.h"
#include "common/xalloc.h"

struct section_name {
	char *name;
	uint16_t number;
};

struct section_names {
	struct section_name **v;
	size_t n;
	struct hash by_name;
};

struct section_names *
section_names_new(void)
{
	struct section_names *s = xcalloc(1, sizeof *s);

	hash_init(&s->by_name);
	return s;
}

void
section_names_free(struct section_names **sp)
{
	struct section_names *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	hash_release(&s->by_name);
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i]->name);
		free(s->v[i]);
	}
	free(s->v);
	free(s);
}

uint16_t
section_names_number(struct section_names *s, struct span name)
{
	struct section_name *known = hash_find(&s->by_name, name);

	if (known != NULL)
		return known->number;
	if (name.len == 0 || s->n == UINT16_MAX)
		return 0;
	known = xcalloc(1, sizeof *known);
	known->name = xspandup(name);
	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = known;
	known->number = (uint16_t)s->n;
	(void)hash_insert(&s->by_name, span_str(known->name), known);
	return known->number;
}

struct span
section_names_get(const struct section_names *s, uint16_t number)
{
	return span_str(number > 0 && number <= s->n ? s->v[number - 1]->name : "");
}
