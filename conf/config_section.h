/*
 * config_section: the sections of postrider.conf, and those of them that come with
 * a title and any number of times: listen, destination, dnsbl. A new kind
 * of section is a row of the table here, its array in struct config, its keys in
 * conf/config_keys.c. Used by the parser of the file and the settings message.
 */
#ifndef CONF_CONFIG_SECTION_H
#define CONF_CONFIG_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/span.h"
#include "conf/config.h"

enum config_section_kind {
	CONFIG_LISTEN,
	CONFIG_DESTINATION,
	CONFIG_RETRY_STATUS,
	CONFIG_DNSBL,
	CONFIG_DNSWL,
	CONFIG_TLS_SECTION,
	CONFIG_USERS,
	CONFIG_SECTIONS,
};

struct config_section {
	const char *name;
	bool
	    titled; /* name "title" { … }: one struct each; else the keys are members of struct config */
};

/* By kind. */
const struct config_section *config_section(enum config_section_kind kind);

/* The kind of that name; CONFIG_SECTIONS if there is none, or name is NULL. */
enum config_section_kind config_section_find(const char *name);

/*
 * Of titled sections: appends one, with all that it may say unsaid (a listener: role mx, no TLS).
 * -1 with *why telling what was expected if the title is none; nothing is added then.
 */
int config_section_add(
    struct config *c, enum config_section_kind kind, struct span title, struct buf *why);

/* Of titled sections: how many there are; number i, which begins with its title; the title as it was understood. */
size_t config_section_count(const struct config *c, enum config_section_kind kind);
void *config_section_at(const struct config *c, enum config_section_kind kind, size_t i);
const char *config_section_title(
    const struct config *c, enum config_section_kind kind, size_t i);

/* Puts destinations and retry statuses into the order that look-ups want. */
void config_sections_sort(struct config *c);

/* Frees all titled sections. */
void config_sections_release(struct config *c);

#endif
