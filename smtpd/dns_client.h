/*
 * dns_client: asks the process remote what the DNS says about a client (doc/IPC.md,
 * "smtpd, and postrider, to remote"). It implements struct facts_ops.
 */
#ifndef SMTPD_DNS_CLIENT_H
#define SMTPD_DNS_CLIENT_H

#include <event2/event.h>
#include <stdbool.h>

#include "smtpd/facts_source.h"

struct dns_client;
extern const struct facts_ops dns_client_ops;

/* path is that of remote's socket. Connects from within the loop. */
struct dns_client *dns_client_new(struct event_base *base, const char *path);
void dns_client_free(struct dns_client **c);

/* Connected and greeted: a question asked now is answered. */
bool dns_client_is_up(const struct dns_client *c);

#endif
