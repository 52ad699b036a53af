/*
 * store_wishes: what the administrator wants of the queue, as durable as
 * outcomes: recipients held, released, resolved anew; destinations and sender
 * domains paused. Lists and jobs are the caller's: a recipient named here is in no list of the
 * scheduler (or RESOLVING or ACTIVE, where that is allowed).
 */
#ifndef QUEUE_STORE_WISHES_H
#define QUEUE_STORE_WISHES_H

#include "queue/pauses.h"
#include "queue/store.h"

/*
 * The recipient is not tried until it is released. DUE, WAITING, PARKED, DEFERRED become HELD at once; with one
 * that is RESOLVING or ACTIVE the wish is remembered, and store_defer makes it HELD. False if it
 * is held already, or nothing more will be tried anyway.
 */
bool store_hold(struct store *s, struct recipient *r);

/* It may be tried again. One that was HELD is DUE now: the caller gives it to the scheduler. False if it was not held. */
bool store_release(struct store *s, struct recipient *r);

/*
 * It does not wait for the release of its message any more (recipient_release), also after a restart. False if it
 * did not. In any state.
 */
bool store_release_early(struct store *s, struct recipient *r);

/*
 * It will be resolved as if RCPT had named it, its attempts count anew. DUE, WAITING, PARKED or DEFERRED
 * become DUE, for the caller to give to the scheduler; HELD stays HELD. False if it is in another state.
 */
bool store_requeue(struct store *s, struct recipient *r);

/* New mail of (for) this name waits until store_continue, also over restarts. False if that changes nothing, or the name is none. */
bool store_pause(struct store *s, enum pause_kind kind, struct span name);
bool store_continue(struct store *s, enum pause_kind kind, struct span name);

/* What is paused: valid as long as the store. */
const struct pauses *store_pauses(const struct store *s);

#endif
