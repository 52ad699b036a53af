/* pauses: names of paused destinations and sender domains. See pauses.h. */
#include "queue/pauses.h"

#include <stdlib.h>

#include "common/limits.h"
#include "common/xalloc.h"

#define NAME_MAX_OCTETS (2 * ADDRESS_MAX)

void
pauses_init(struct pauses *p)
{
	for (int k = 0; k < PAUSE_KINDS; k++)
		hash_init(&p->names[k]);
}

void
pauses_release(struct pauses *p)
{
	for (int k = 0; k < PAUSE_KINDS; k++) {
		size_t at = 0;
		char *name;

		while ((name = hash_next(&p->names[k], &at)) != NULL)
			free(name);
		hash_release(&p->names[k]);
	}
}

bool
pauses_name_ok(enum pause_kind kind, struct span name)
{
	return name.len <= NAME_MAX_OCTETS && !span_has_control(name) &&
	       (name.len > 0 || kind == PAUSE_SENDER);
}

/* The name in lower case in out; if it is too long, a span that no entry has. */
static struct span
fold(struct span name, char out[NAME_MAX_OCTETS])
{
	if (name.len > NAME_MAX_OCTETS)
		return span_str("\n");
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	return span_make(out, name.len);
}

bool
pauses_add(struct pauses *p, enum pause_kind kind, struct span name)
{
	char folded[NAME_MAX_OCTETS], *copy;

	if (!pauses_name_ok(kind, name) || pauses_has(p, kind, name))
		return false;
	copy = xspandup(fold(name, folded));
	(void)hash_insert(&p->names[kind], span_str(copy), copy);
	return true;
}

bool
pauses_remove(struct pauses *p, enum pause_kind kind, struct span name)
{
	char folded[NAME_MAX_OCTETS];
	char *copy = hash_remove(&p->names[kind], fold(name, folded));

	free(copy);
	return copy != NULL;
}

const char *
pauses_find(const struct pauses *p, enum pause_kind kind, struct span name)
{
	char folded[NAME_MAX_OCTETS];

	return hash_find(&p->names[kind], fold(name, folded));
}

bool
pauses_has(const struct pauses *p, enum pause_kind kind, struct span name)
{
	return pauses_find(p, kind, name) != NULL;
}

const char *
pauses_next(const struct pauses *p, enum pause_kind kind, size_t *at)
{
	return hash_next(&p->names[kind], at);
}
