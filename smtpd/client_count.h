/*
 * client_count: connections open at the moment, by client: an IPv4 address, an
 * IPv6 /64 (one subscriber has a whole one), or the uid of a local program; and by
 * its network, the /24 or /64, which a local program has none of.
 */
#ifndef SMTPD_CLIENT_COUNT_H
#define SMTPD_CLIENT_COUNT_H

#include <stdint.h>

#include "common/hash.h"
#include "smtpd/session.h"

struct client_count {
	struct hash clients, networks;
};

void client_count_init(struct client_count *c);
void client_count_release(struct client_count *c);

enum client_count_result {
	CLIENT_COUNTED,
	CLIENT_HAS_MOST,  /* the client has limit of them; nothing was counted */
	NETWORK_HAS_MOST, /* its network has network_limit of them; the same */
};

/* One more connection of this client, if it and its network have fewer than so many. */
enum client_count_result client_count_enter(struct client_count *c,
    const struct session_origin *origin, uint32_t limit, uint32_t network_limit)
    __attribute__((warn_unused_result));

/* One less. The uid of a submitter is the one it entered with. */
void client_count_leave(struct client_count *c, const struct session_origin *origin);

/* How many this client has now. */
uint32_t client_count_get(const struct client_count *c, const struct session_origin *origin);

#endif
