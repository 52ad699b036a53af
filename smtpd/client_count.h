/*
 * client_count: connections open at the moment, by client: an IPv4 address, an
 * IPv6 /64 (one subscriber has a whole one), or the uid of a local program.
 */
#ifndef SMTPD_CLIENT_COUNT_H
#define SMTPD_CLIENT_COUNT_H

#include <stdint.h>

#include "common/hash.h"
#include "smtpd/session.h"

struct client_count {
	struct hash clients;
};

void client_count_init(struct client_count *c);
void client_count_release(struct client_count *c);

/* One more connection of this client, unless it has limit of them: 0, or -1 and nothing counted. */
int client_count_enter(struct client_count *c, const struct session_origin *origin,
    uint32_t limit) __attribute__((warn_unused_result));

/* One less. The uid of a submitter is the one it entered with. */
void client_count_leave(struct client_count *c, const struct session_origin *origin);

/* How many this client has now. */
uint32_t client_count_get(const struct client_count *c, const struct session_origin *origin);

#endif
