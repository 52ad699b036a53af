/*
 * keys_client: asks the process `keys` (doc/IPC.md, "smtpd to keys") for
 * certificates and signatures, and is told ticket keys. It implements
 * struct tls_source_ops.
 */
#ifndef SMTPD_KEYS_CLIENT_H
#define SMTPD_KEYS_CLIENT_H

#include <event2/event.h>

#include "smtpd/tls_source.h"

struct keys_client;
extern const struct tls_source_ops keys_client_ops;

/* path is that of keys' socket. Connects from within the loop. */
struct keys_client *keys_client_new(struct event_base *base, const char *path);

/* No handshake may be under way. */
void keys_client_free(struct keys_client **c);

#endif
