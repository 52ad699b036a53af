/*
 * authenticator: the question `authenticate` of doc/IPC.md: is this the account's
 * password, or the proof of it? Used by the directory's main loop, which goes on while
 * threads hash.
 *
 * A login that fails tells nothing about why: unknown user, disabled one and wrong
 * password are hashed alike, answered alike, and answered at a full half second
 * after the question.
 */
#ifndef CONF_AUTHENTICATOR_H
#define CONF_AUTHENTICATOR_H

#include <event2/event.h>

#include "common/wire.h"
#include "conf/resolve.h"
#include "conf/scram.h"

struct authenticator;

/* Sends an answer (releases w) to who asked. */
typedef void authenticator_reply_fn(void *asker, struct wire_out *w);

/* Starts its threads. secret makes up salts; it is the same after the next start. */
struct authenticator *authenticator_new(struct event_base *base, authenticator_reply_fn *reply,
    const unsigned char secret[SCRAM_SECRET_SIZE]);

/* Waits for the threads; nobody is answered any more. */
void authenticator_free(struct authenticator **a);

/* How many failures there may be: conf/auth_throttle.h. */
void authenticator_configure(struct authenticator *a, const struct config *c);

/*
 * Takes the question: asker is answered later, or, where nothing needs hashing, at once. -1: it makes no
 * sense, nobody is answered.
 */
int authenticator_ask(struct authenticator *a, const struct resolve_env *env, void *asker,
    const struct wire_msg *m);

/* Who asked has gone: it is not answered. */
void authenticator_forget(struct authenticator *a, const void *asker);

#endif
