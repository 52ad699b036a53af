/*
 * absent_names: names that are not there. See absent_names.h. The hash is keyed at random, so
 * no choice of names makes a look-up slow.
 */
#include "conf/absent_names.h"

#include <stdlib.h>

#include "common/xalloc.h"

void
absent_names_init(struct absent_names *a)
{
	hash_init(&a->names);
}

void
absent_names_clear(struct absent_names *a)
{
	size_t at = 0;
	char *name;

	if (hash_count(&a->names) == 0)
		return;
	while ((name = hash_next(&a->names, &at)) != NULL)
		free(name);
	hash_release(&a->names);
}

void
absent_names_add(struct absent_names *a, struct span name)
{
	char *copy;

	if (hash_find(&a->names, name) != NULL)
		return;
	if (hash_count(&a->names) >= ABSENT_NAMES_MAX)
		absent_names_clear(a);
	copy = xspandup(name);
	hash_insert(&a->names, span_make(copy, name.len), copy);
}

bool
absent_names_has(const struct absent_names *a, struct span name)
{
	return hash_count(&a->names) > 0 && hash_find(&a->names, name) != NULL;
}
