/*
 * auth_throttle: how many logins have failed lately, for a client's network (/24,
 * /64) and for a name that somebody tried to log in as. Each failure counts until
 * its share of AUTH_THROTTLE_MS is over. Used by conf/authenticator. Pure: the
 * caller has the clock. Memory is bounded: where too many are counted, those with
 * the fewest failures are forgotten.
 */
#ifndef CONF_AUTH_THROTTLE_H
#define CONF_AUTH_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/netaddr.h"
#include "common/span.h"

/* As many failures as are allowed are forgotten in this time. */
#define AUTH_THROTTLE_MS UINT64_C(600000)

struct auth_throttle;

struct auth_throttle *auth_throttle_new(void);
void auth_throttle_free(struct auth_throttle **t);

/* At most so many in AUTH_THROTTLE_MS; at least 1. */
void auth_throttle_configure(
    struct auth_throttle *t, uint32_t per_client, uint32_t per_account);

/*
 * Must this attempt be refused unseen? If not it counts as failed, until auth_throttle_succeed says
 * otherwise: many attempts at once do not get past it. client may be NULL (no address).
 */
bool auth_throttle_refuses(struct auth_throttle *t, const struct netaddr *client,
    struct span account, uint64_t now_ms);

/* The attempt succeeded, or could not be decided: takes it back. */
void auth_throttle_take_back(
    struct auth_throttle *t, const struct netaddr *client, struct span account);

#endif
