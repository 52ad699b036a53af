/*
 * route: from a destination, the name of one of the queue's lists, to the hosts and
 * addresses to try, in order (RFC 5321 5.1). `example.org` goes by MX, or by its
 * address if it has none; `[192.0.2.1]:25` and `[mx.example.net]:2525` are hosts.
 *
 * No address of this machine's loopback is ever a route, unless the
 * administrator says so: neither strangers' DNS nor literals reach what listens there.
 */
#ifndef DELIVER_ROUTE_H
#define DELIVER_ROUTE_H

#include <stdbool.h>

#include "common/limits.h"
#include "common/netaddr.h"
#include "common/verdict.h"
#include "deliver/dns.h"

/* Hosts that are tried for one message, and addresses of each. */
#define ROUTE_HOSTS_MAX	    5
#define ROUTE_ADDRESSES_MAX 4

struct route {
	bool mx;      /* look for MX records first */
	bool literal; /* address says it all */
	bool port_given;
	char host[DOMAIN_MAX + 1]; /* canonical name, or the literal's text */
	struct netaddr address;	   /* if literal, with port */
	uint16_t port;
};

/* Parses a destination. Without a port it gets the one given. 0, or -1 if malformed. */
int route_parse(struct span destination, uint16_t port, struct route *r);

struct route_target {
	char host[DOMAIN_MAX + 1];
	unsigned rank; /* same number: the same host */
	struct netaddr address;
};

struct route_targets {
	size_t n; /* 0: verdict says why */
	struct route_target v[ROUTE_HOSTS_MAX * ROUTE_ADDRESSES_MAX];
	struct verdict verdict;
};

/* Listeners of ours that are known by address. */
#define ROUTE_OWN_MAX 16

struct route_options {
	struct netaddr own[ROUTE_OWN_MAX]; /* with ports: mail sent there would come back */
	size_t nown;
	const char *self;      /* our own name: never a host to relay to */
	const char *smarthost; /* as configured, or NULL: may be on loopback */
	uint16_t port;
	bool allow_loopback;
};

/* Valid until it returns. */
typedef void route_found_fn(const struct route_targets *t, void *arg);

/*
 * Finds the targets and calls fn once, perhaps before it returns. options and
 * dns must live until then.
 */
void route_find(struct dns *dns, const struct route_options *options, const char *destination,
    route_found_fn *fn, void *arg);

#endif
