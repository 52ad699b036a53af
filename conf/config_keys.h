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
	CONFIG_HOSTNAME,     /* a domain name, canonical */
	CONFIG_PATH,	     /* an absolute path */
	CONFIG_TEXT,	     /* a non-empty text */
	CONFIG_ADDRESS,	     /* local@domain, canonical */
	CONFIG_SMARTHOST,    /* host, host:port, [address]:port */
	CONFIG_NUMBER,	     /* uint32_t */
	CONFIG_SIZE,	     /* uint64_t octets */
	CONFIG_DURATION,     /* uint64_t milliseconds */
	CONFIG_BOOL,	     /* yes or no */
	CONFIG_AUTO_BOOL,    /* enum config_auto: auto, yes or no */
	CONFIG_ASK,	     /* bool: no or ask */
	CONFIG_TLS_LEAST,    /* bool, TLS 1.3 is wanted: 1.2 or 1.3 */
	CONFIG_CIPHERS,	     /* a text that OpenSSL has to understand */
	CONFIG_DOUBLE,	     /* double-bounce: drop or postmaster */
	CONFIG_UNFINISHED,   /* accept, hold, refuse */
	CONFIG_LOG_LEVEL,    /* debug, info, warn */
	CONFIG_DURATIONS,    /* list of durations: uint64_t *, and the size_t behind it */
	CONFIG_CALLS,	     /* enforce, log, off */
	CONFIG_DOMAINS,	     /* list of domains; a leading dot means every domain below */
	CONFIG_NETBLOCKS,    /* list of addresses and blocks */
	CONFIG_RESOLVERS,    /* list of address:port */
	CONFIG_FINGERPRINTS, /* list of SHA-256 */
	CONFIG_CHECK,	     /* off, warn, reject; max 1: and lookup */
	CONFIG_REPLIES, /* list of replies of a DNS list: struct reply_filter *, and the size_t behind it */
	CONFIG_REPLY, /* a text for clients, with %c, %z, %% */
	CONFIG_ROLE,  /* of the listener named last */
	CONFIG_TLS,   /* of the listener named last */
	CONFIG_RATE, /* n/second, n/minute, n/hour, n/day: uint32_t count, uint64_t period_ms */
};

struct config_key {
	const char *name;
	const char
	    *section; /* NULL: at the top of the file; else one of conf/config_section.h */
	enum config_type type;
	size_t offset; /* of the member: in struct config, or in the titled section's struct */
	const char *fallback; /* the default as text, NULL: none, or found at run time */
	uint64_t min, max;    /* of numbers, sizes, durations (each element of a list) */
	bool optional;	      /* may stay unset; so may all keys of titled sections */
};

/* The table; *n gets its length. */
const struct config_key *config_keys(size_t *n);

/* Is the key's value a list? */
bool config_key_is_list(const struct config_key *k);

/* Does it stand in a titled section? */
bool config_key_is_titled(const struct config_key *k);

/* The key's name on the wire and in messages: "idle-timeout", "users.queue". Returns out. */
#define CONFIG_KEY_NAME_SIZE 48
const char *config_key_full_name(const struct config_key *k, char out[CONFIG_KEY_NAME_SIZE]);

/*
 * Sets (a list: appends) the value from its text; a titled section's key in the section of that kind
 * that was added last. -1 with *why telling what was expected
 * (why is empty before, the caller releases it); the member is unchanged then.
 */
int config_key_set(
    struct config *c, const struct config_key *k, struct span value, struct buf *why);

/* Is this its full name? */
bool config_key_has_name(const struct config_key *k, struct span name);

/*
 * Where the value is: the member of struct config, or that of the titled section numbered i (which is
 * not looked at for other keys).
 */
void *config_key_member(const struct config *c, const struct config_key *k, size_t i);

/*
 * Is it set (a list: non-empty; in a titled section: not zero)? Numbers, sizes, durations and
 * booleans elsewhere always are.
 */
bool config_key_is_set(const struct config *c, const struct config_key *k, size_t i);

/* Sets the member from the table's default; a key without one, or of a titled section, is left alone. */
void config_key_set_default(struct config *c, const struct config_key *k);

/* Every value of the key as text that config_key_set takes, one call each. i as in config_key_member. */
typedef void config_value_fn(const char *value, void *arg);
void config_key_get(const struct config *c, const struct config_key *k, size_t i,
    config_value_fn *fn, void *arg);

#endif
