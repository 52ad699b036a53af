/*
 * aliases: a domain's etc/aliases, in the form of aliases(5):
 *
 *	name: target, target        a line that begins with a blank goes on with the one before
 *
 * A target is an address, a local name of the same domain, \name (that mailbox,
 * no alias any more), or :include:file with a list of targets. What this release
 * does not deliver to (|program, /file) and what cannot be understood stays in the
 * table as refused, so that such an alias answers "not now" instead of losing mail.
 * Pure: the text in, a table out. Names are folded (fold.h).
 */
#ifndef CONF_ALIASES_H
#define CONF_ALIASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"
#include "conf/config_errors.h"

/* Files above this are refused by those who read them. */
#define ALIASES_MAX (8U << 20)

enum alias_kind {
	ALIAS_HERE,    /* text: a local part of the same domain, canonical */
	ALIAS_ADDRESS, /* text: local@domain, canonical */
	ALIAS_INCLUDE, /* text: a path, as written */
	ALIAS_REFUSED, /* text: why */
};

struct alias_target {
	uint32_t text; /* where in aliases_file.text */
	uint16_t text_len;
	uint8_t kind; /* enum alias_kind */
	bool final;   /* of HERE: the mailbox, whatever aliases there are */
	unsigned line;
};

struct alias {
	uint32_t name; /* folded, in aliases_file.text */
	uint8_t name_len;
	unsigned line;
	size_t first, count; /* its targets: aliases_file.targets[first …] */
};

struct aliases_file {
	struct alias *aliases; /* sorted by name */
	size_t naliases;
	struct alias_target *targets;
	size_t ntargets;
	char *text;
	size_t text_len;
};

/*
 * Parses text, which is the file named path (for complaints). A line that is wrong adds a complaint;
 * without a name it is skipped. -1 if there are complaints and not one alias. Release in both cases.
 */
int aliases_parse(
    struct aliases_file *f, struct span text, const char *path, struct config_errors *errors);

/*
 * Parses an included file: targets, separated by commas or line ends. They are f->targets, all of
 * them; there are no aliases then. What is wrong is told by its line, without the text there: the file may be anything.
 * Release as above.
 */
void aliases_parse_list(
    struct aliases_file *f, struct span text, const char *path, struct config_errors *errors);
void aliases_release(struct aliases_file *f);

/* The alias of a folded name, or NULL. */
const struct alias *aliases_find(const struct aliases_file *f, struct span name);

/* The texts; they live as long as f. */
struct span alias_name(const struct aliases_file *f, const struct alias *a);
struct span alias_text(const struct aliases_file *f, const struct alias_target *t);

#endif
