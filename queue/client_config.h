/*
 * client_config: what programs that talk to the daemon need of postrider.conf: where
 * its sockets are and what the host is called. Three keys are taken; what
 * else stands there, right or wrong, is the daemon's business, which goes on with the
 * configuration it has while the file is being changed.
 */
#ifndef QUEUE_CLIENT_CONFIG_H
#define QUEUE_CLIENT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

/* Read if no other file is named. */
#define CLIENT_CONFIG_DEFAULT SYSCONFDIR "/postrider/postrider.conf"

struct client_config {
	char *spool;	     /* spool, or its default */
	char *hostname;	     /* hostname, or the system's own name */
	uint64_t size_limit; /* message-size-limit, or its default: octets */
};

/*
 * Reads path, or the default file if path is NULL: then a file that is missing or cannot be read means the defaults. 0, or
 * EX_CONFIG with a line in *why. The caller releases in both cases.
 */
int client_config_init(struct client_config *c, const char *path, struct buf *why);
void client_config_release(struct client_config *c);

#endif
