/*
 * confile: a configuration file of keys, lists and sections, read with libconfuse:
 *
 *	key = value             key = { value, value }         key += { value }
 *	section { key = value } section "title" { key = value }
 *
 * with comments as #, // and C have them. libconfuse stops at the first thing it
 * does not like, keeps the last of two values in silence and counts lines wrongly
 * behind comments; so a scan goes before it (confile_scan.h) that reports every
 * such place and blanks it out. libconfuse then reads what remains, to the end.
 *
 * Used for postrider.conf and for a domain's etc/domain.conf. Pure.
 */
#ifndef CONF_CONFILE_H
#define CONF_CONFILE_H

#include <stddef.h>

#include "common/span.h"
#include "conf/config_errors.h"

/* Files above this are refused by those who read them. */
#define CONFILE_MAX (2U << 20)

enum confile_shape {
	CONFILE_VALUE,	 /* key = value */
	CONFILE_LIST,	 /* key = { value, … } or key = value */
	CONFILE_SECTION, /* key { … }, once */
	CONFILE_TITLED,	 /* key "title" { … }, any number, titles differ */
	CONFILE_DOMAIN,	 /* key of a domain's etc/domain.conf: known, but an error here */
};

/* What may stand in a file, or in a section of it (sections do not nest). */
struct confile_key {
	const char *name;
	enum confile_shape shape;
	const struct confile_key *keys; /* of a section */
	size_t nkeys;
};

/* One value found, in the order of the file. A section comes before its values, with its title (or "") as value. */
struct confile_item {
	const struct confile_key
	    *section; /* NULL at the top; the section itself for its own item */
	const struct confile_key *key; /* NULL for a section's own item */
	const char *value;	       /* unquoted; gone when the callback returns */
	unsigned line;
};

typedef void confile_fn(const struct confile_item *item, void *arg);

/*
 * Reads text, which came from the file named path, and calls fn for each value. Adds a complaint to
 * errors for everything that is not as keys say; fn is called for what is right in spite of them.
 */
void confile_parse(struct span text, const char *path, const struct confile_key *keys,
    size_t nkeys, struct config_errors *errors, confile_fn *fn, void *arg);

#endif
