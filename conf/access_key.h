/*
 * access_key: the key of a line of sendmail's access table, brought to the one form in which it is looked up: its tag in
 * lower case, a colon, and what stands behind it: octets or groups of an address, a domain of A-labels, a mailbox folded
 * (conf/fold). Pure; used by conf/access_table, which shows what keys there are.
 */
#ifndef CONF_ACCESS_KEY_H
#define CONF_ACCESS_KEY_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/limits.h"
#include "common/span.h"

/* What a key is looked up for: its tag. */
enum access_tag {
	ACCESS_CONNECT,
	ACCESS_FROM,
	ACCESS_TO,
};

/* The tag in lower case, without its colon. */
const char *access_tag_name(enum access_tag tag);

/* The longest key in that form, in octets. */
#define ACCESS_KEY_MAX (2 * (ADDRESS_MAX + 16))

struct access_key {
	struct buf text; /* "connect:192.0.2", ":example.net" */
	bool is_name;	 /* it may be a client's name */
	char why[600];	 /* what is wrong with one that was not taken, and what was expected */
};

void access_key_init(struct access_key *key);
void access_key_release(struct access_key *key);

/*
 * Reads a key into one that was just initialised. 0, 1 if its tag is of a feature of sendmail that has nothing to do with
 * who may send what, -1 with why.
 */
int access_key_parse(struct span s, struct access_key *key) __attribute__((warn_unused_result));

#endif
