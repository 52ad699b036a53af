/*
 * arena: strings of one transaction: copied in one after another, never moved,
 * freed together.
 */
#ifndef SMTPD_ARENA_H
#define SMTPD_ARENA_H

#include "common/span.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* the newest first; NULL until the first copy */
	size_t octets;		    /* copied so far */
};

void arena_init(struct arena *a);

/* Frees everything; every span it gave out is gone. */
void arena_release(struct arena *a);

/* A copy that lives as long as the arena. The empty span takes no memory. */
struct span arena_copy(struct arena *a, struct span s);

#endif
