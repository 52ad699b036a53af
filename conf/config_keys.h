/*
 * config_keys: the table of every key of postrider.conf, with its type, range
 * and default, and the one function that sets a value from text. The parser of
 * the file, the settings message and the manual all follow this table: a new
 * key is one row here, one member of struct config and one entry in
 * postrider.conf(5).
 */
#ifndef CONF_CONFIG_KEYS_H
#define CONF_CONFIG_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"
#include "conf/config.h"

enum config_type {
	CONFIG_HOSTNAME,  /* a domain name, canonical */
	CONFIG_PATH,	  /* an absolute path */
	CONFIG_TEXT,	  /* a non-empty text */
	CONFIG_ADDRESS,	  /* local@domain, canonical */
	CONFIG_SMARTHOST, /* host, host:port, [address]:port */
	CONFIG_NUMBER,	  /* uint32_t */
	CONFIG_SIZE,	  /* uint64_t octets */
	CONFIG_DURATION,  /* uint64_t milliseconds */
	CONFIG_BOOL,	  /* yes or no */
	CONFIG_LOG_LEVEL, /* debug, info, warn */
	CONFIG_DURATIONS, /* list of durations */
	CONFIG_DOMAINS,	  /* list of domains; a leading dot means every domain below */
	CONFIG_NETBLOCKS, /* list of addresses and blocks */
	CONFIG_RESOLVERS, /* list of address:port */
	CONFIG_ROLE,	  /* of the listener named last */
	CONFIG_TLS,	  /* of the listener named last */
};

struct config_key {
	const char *name;
	const char *section; /* NULL: at the top of the file; else listen, tls, users */
	enum config_type type;
	size_t offset;	      /* of the member of struct config; unused for listener keys */
	const char *fallback; /* the default as text, NULL: none, or found at run time */
	uint64_t min, max;    /* of numbers, sizes, durations (each element of a list) */
	bool optional;	      /* may stay unset */
};

/* The table; *n gets its length. */
const struct config_key *config_keys(size_t *n);

/* Is the key's value a list? */
bool config_key_is_list(const struct config_key *k);

/* The key's name on the wire and in messages: "idle-timeout", "users.queue". Returns out. */
#define CONFIG_KEY_NAME_SIZE 48
const char *config_key_full_name(const struct config_key *k, char out[CONFIG_KEY_NAME_SIZE]);

/*
 * Sets (a list: appends) the value from its text. -1 with *why telling what was expected
 * (why is empty before, the caller releases it); the member is unchanged then.
 */
int config_key_set(
    struct config *c, const struct config_key *k, struct span value, struct buf *why);

/*
 * Appends a listener "addr:port" with role mx and no TLS. -1 and *why as above.
 */
int config_add_listener(struct config *c, struct span address, struct buf *why);

/* Is the member set (a list: non-empty)? Numbers, sizes, durations and booleans always are. */
bool config_key_is_set(const struct config *c, const struct config_key *k);

/* Sets the member from the table's default; a key without one is left alone. */
void config_key_set_default(struct config *c, const struct config_key *k);

/* Every value of the key as text that config_key_set takes, one call each. */
typedef void config_value_fn(const char *value, void *arg);
void config_key_get(
    const struct config *c, const struct config_key *k, config_value_fn *fn, void *arg);

#endif
