/*
 * envelope_cache: the envelope that was read last. Few messages need theirs after they were taken in
 * (what RFC 3461 gives with them), but those need it for each job and each report, one after the
 * other.
 */
#ifndef QUEUE_ENVELOPE_CACHE_H
#define QUEUE_ENVELOPE_CACHE_H

#include "queue/spool_envelope.h"
#include "queue/store.h"

struct envelope_cache;

/* store is borrowed. */
struct envelope_cache *envelope_cache_new(struct store *store);
void envelope_cache_free(struct envelope_cache **c);

/* The envelope of m, valid until the next call; NULL if it cannot be read, which is logged. */
const struct envelope *envelope_cache_get(struct envelope_cache *c, const struct message *m);

#endif
