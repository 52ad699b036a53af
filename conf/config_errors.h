/*
 * config_errors: a list of complaints about files, each "file:line: text".
 * Parsers of configuration, passwd and alias files collect everything that is
 * wrong into one, so that a person repairs a file in one go. What can be used as
 * it is and yet wants a person is a warning: kept apart, and no reason to refuse.
 */
#ifndef CONF_CONFIG_ERRORS_H
#define CONF_CONFIG_ERRORS_H

#include <stdbool.h>
#include <stddef.h>

/* Complaints beyond this many are counted, not kept: one bad file must not fill the log. */
#define CONFIG_ERRORS_MAX 200

/* One thing that is wrong. */
struct config_error {
	char *text;    /* "file:line: what is wrong and what was expected" */
	unsigned line; /* 0: the file as a whole */
};

struct config_errors {
	struct config_error *v;
	size_t n;
	size_t dropped; /* not kept: there were more than CONFIG_ERRORS_MAX */
	struct config_error *warnings;
	size_t nwarnings; /* at most CONFIG_ERRORS_MAX, further ones are not kept */
};

/* Adds one. path is the file, line 0 leaves the number out; errors may be NULL: nobody wants to know. */
void config_errors_add(struct config_errors *errors, const char *path, unsigned line,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The same for a warning: n does not count it. */
void config_errors_warn(struct config_errors *errors, const char *path, unsigned line,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Adds one that is complete already. */
void config_errors_add_text(struct config_errors *errors, const char *text);

/* Orders them by line from index `first` on, and says in a last one how many were dropped. */
void config_errors_finish(struct config_errors *errors, size_t first);

/* Frees what it holds; it is empty afterwards and may be used again. */
void config_errors_release(struct config_errors *errors);

#endif
