/*
 * atom: interned strings. Texts that many objects share (a reverse-path, the
 * reason for a deferral) are kept once, counted, and compared by address. An
 * atom is an ordinary `const char *`; it knows its table.
 */
#ifndef COMMON_ATOM_H
#define COMMON_ATOM_H

#include <stddef.h>

#include "common/span.h"

struct atom_table;

struct atom_table *atom_table_new(void);

/* Frees the table and every atom still in it. */
void atom_table_free(struct atom_table **t);

/* The atom of this text, counted once more: the caller gives it back with atom_unref. A NUL in the text ends it. */
const char *atom_get(struct atom_table *t, struct span text);

/* One holder less, and *atom is NULL; the last one frees it. NULL is fine. */
void atom_unref(const char **atom);

/* The table an atom stands in. */
struct atom_table *atom_table_of(const char *atom);

/* How many different atoms there are. */
size_t atom_count(const struct atom_table *t);

#endif
