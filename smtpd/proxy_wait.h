/*
 * proxy_wait: a connection that waits for its PROXY header (smtpd/proxy_header.h).
 * It takes from the socket the octets of the header and none behind them: whether a greeting, a
 * TLS handshake or early talk follows is the session's business.
 */
#ifndef SMTPD_PROXY_WAIT_H
#define SMTPD_PROXY_WAIT_H

#include <event2/event.h>
#include <stdint.h>

#include "smtpd/proxy_header.h"

struct proxy_wait;

/* Once: the header (borrowed), or NULL, and then why (static). The descriptor is the caller's again. */
typedef void proxy_wait_fn(int fd, const struct proxy_header *h, const char *why, void *arg);

/* Waits at most ms in all. fd does not block; it is borrowed until fn was called, or the wait is freed. */
struct proxy_wait *proxy_wait_new(
    struct event_base *base, int fd, uint64_t ms, proxy_wait_fn *fn, void *arg);

/* Gives up: fn is not called. The descriptor stays open. Clears *w; NULL is fine. */
void proxy_wait_free(struct proxy_wait **w);

#endif
