/*
 * pauses: which destinations and sender domains the administrator has stopped.
 * A set of names, the same in any case of letters. Kept by the store (durable),
 * asked by the scheduler. Pure.
 */
#ifndef QUEUE_PAUSES_H
#define QUEUE_PAUSES_H

#include <stdbool.h>

#include "common/hash.h"

enum pause_kind {
	PAUSE_DESTINATION, /* a next hop as the queue shows it, or a domain of recipients */
	PAUSE_SENDER,	   /* the domain of reverse-paths; "" for null senders */
	PAUSE_KINDS,
};

struct pauses {
	struct hash names[PAUSE_KINDS];
};

void pauses_init(struct pauses *p);
void pauses_release(struct pauses *p);

/* May this be a name: no control octets, not too long, empty for a sender only? */
bool pauses_name_ok(enum pause_kind kind, struct span name);

/* True if that changed something. The name is one that pauses_name_ok allows, else nothing happens. */
bool pauses_add(struct pauses *p, enum pause_kind kind, struct span name);
bool pauses_remove(struct pauses *p, enum pause_kind kind, struct span name);

bool pauses_has(const struct pauses *p, enum pause_kind kind, struct span name);

/* The name as it is kept, in lower case, or NULL. */
const char *pauses_find(const struct pauses *p, enum pause_kind kind, struct span name);

/* All names of a kind, in lower case, in no order (as hash_next). */
const char *pauses_next(const struct pauses *p, enum pause_kind kind, size_t *at);

#endif
