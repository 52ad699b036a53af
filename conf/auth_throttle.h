/*
 * auth_throttle: how many logins have failed lately: for a client's network (/24,
 * /64), for an account from one network, and for an account from everywhere. Each failure
 * counts until its share of AUTH_THROTTLE_MS is over. Used by conf/authenticator.
 * Pure: the caller has the clock. Memory is bounded: where too many are counted, those
 * with the fewest failures are forgotten.
 *
 * Who guesses at an account keeps himself away from it and not its user: he is refused for the
 * network he comes from. Where many networks guess together the account has a ceiling; above it
 * networks from which the user has logged in lately are served still, slowly.
 */
#ifndef CONF_AUTH_THROTTLE_H
#define CONF_AUTH_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/netaddr.h"
#include "common/span.h"

/* As many failures as are allowed are forgotten in this time. */
#define AUTH_THROTTLE_MS UINT64_C(600000)

/* So long is a network known from which an account has logged in. */
#define AUTH_THROTTLE_KNOWN_MS (UINT64_C(30) * 24 * 3600 * 1000)

struct auth_throttle;

/* At most so many failures in AUTH_THROTTLE_MS; at least 1 each. */
struct auth_throttle_limits {
	uint32_t per_client;  /* of one network, whatever the account */
	uint32_t per_account; /* of one account, from one network */
	uint32_t ceiling;     /* of one account, from everywhere */
};

/* Who tries what. */
struct auth_throttle_try {
	const struct netaddr *client; /* NULL: no address; counts as a network of its own */
	struct span account;
	bool slow; /* auth_throttle_begin has answered so; of use behind it */
};

enum auth_throttle_answer {
	AUTH_THROTTLE_PASSES,
	AUTH_THROTTLE_SLOW, /* passes, and should have to wait: the account's ceiling is reached */
	AUTH_THROTTLE_REFUSED,
};

struct auth_throttle *auth_throttle_new(void);
void auth_throttle_free(struct auth_throttle **t);

void auth_throttle_configure(
    struct auth_throttle *t, const struct auth_throttle_limits *limits);

/*
 * May this be tried? Unless refused it counts as failed, until one of the next two says otherwise: many
 * attempts at once do not get past it.
 */
enum auth_throttle_answer auth_throttle_begin(
    struct auth_throttle *t, const struct auth_throttle_try *what, uint64_t now_ms);

/* Would it be refused? Nothing is counted. */
bool auth_throttle_refuses(
    struct auth_throttle *t, const struct auth_throttle_try *what, uint64_t now_ms);

/* The attempt could not be decided: takes it back. */
void auth_throttle_take_back(struct auth_throttle *t, const struct auth_throttle_try *what);

/* The attempt succeeded: takes it back, and remembers the network. */
void auth_throttle_succeed(
    struct auth_throttle *t, const struct auth_throttle_try *what, uint64_t now_ms);

#endif
