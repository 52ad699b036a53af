/*
 * config_parse: postrider.conf from text to struct config, without a look at
 * anything but the text (and this host's name and number of processors, for
 * defaults). Called by config_load, which reads the file and has the result checked.
 */
#ifndef CONF_CONFIG_PARSE_H
#define CONF_CONFIG_PARSE_H

#include "common/span.h"
#include "conf/config.h"
#include "conf/config_errors.h"
#include "conf/config_section.h"

/* Where in the file things were said; 0: not in the file (a default). */
struct config_lines {
	unsigned *keys;		 /* by index into config_keys; not of titled sections */
	unsigned *relay_domains; /* by index into config.relay_domains */
	unsigned *titled
	    [CONFIG_SECTIONS]; /* by index among the sections of a kind as they stand in the
					    * file; NULL if there are none (listeners: the defaults) */
	bool tls_unsaid; /* there is a listener that does not say what it does about TLS */
};

/*
 * Parses text, which is the file named path. Never NULL, the caller frees it: with complaints added to
 * errors it must not be used but for more checks; strings that were refused may be NULL then. lines is
 * filled, and released by the caller.
 */
struct config *config_parse(struct span text, const char *path, struct config_lines *lines,
    struct config_errors *errors);

/*
 * How many workers there are where the file does not say: one for two processors, 1 to 64 (doc/ARCHITECTURE.md tells
 * why). processors is what sysconf says: -1, it cannot tell, counts as one.
 */
uint32_t config_default_workers(long processors);

/* The line on which the key of that name (section NULL: at the top) was given, 0 if it was not. */
unsigned config_lines_find(
    const struct config_lines *lines, const char *section, const char *name);
void config_lines_release(struct config_lines *lines);

#endif
