/*
 * absent_names: names of which is known that they are not there, so that nobody has to look again. Strangers
 * choose the names: there are at most ABSENT_NAMES_MAX of them, and then it begins anew. Whoever
 * keeps it clears it when one of them may have come to be. Used by conf/domains.c.
 */
#ifndef CONF_ABSENT_NAMES_H
#define CONF_ABSENT_NAMES_H

#include <stdbool.h>

#include "common/hash.h"

/* Each takes the octets of its name and about 100 more. */
#define ABSENT_NAMES_MAX 4096

struct absent_names {
	struct hash names;
};

void absent_names_init(struct absent_names *a);

/* Forgets all. Costs nothing if there are none; also releases what it holds. */
void absent_names_clear(struct absent_names *a);

/* name is copied. */
void absent_names_add(struct absent_names *a, struct span name);
bool absent_names_has(const struct absent_names *a, struct span name);

#endif
