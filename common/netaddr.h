/*
 * netaddr: IPv4 and IPv6 addresses with ports, and blocks of them. IPv4-mapped
 * IPv6 addresses (::ffff:a.b.c.d) become IPv4 at the door, once, so that rules,
 * limits and log lines see one form.
 */
#ifndef COMMON_NETADDR_H
#define COMMON_NETADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/span.h"

struct netaddr {
	sa_family_t family;   /* AF_INET, AF_INET6 */
	unsigned char ip[16]; /* network order; 4 octets in use for AF_INET */
	uint16_t port;	      /* host order */
};

struct netblock {
	struct netaddr base;
	unsigned bits;
};

#define NETADDR_TEXT_SIZE 64

/* "192.0.2.1", "2001:db8::1": strict forms only (no octal, hex or short forms, no zone). -1 if not an address. */
int netaddr_parse(struct span s, struct netaddr *a);

/* "192.0.2.1:25", "[2001:db8::1]:25". -1 if malformed. */
int netaddr_parse_port(struct span s, struct netaddr *a);

/* "192.0.2.0/24", "2001:db8::/32", or a lone address. -1 if malformed or bits beyond the prefix are set. */
int netblock_parse(struct span s, struct netblock *b);
bool netblock_contains(const struct netblock *b, const struct netaddr *a);

/* From and to what the kernel uses; -1 for a family that is neither. Maps ::ffff: to IPv4. */
int netaddr_from_sockaddr(const struct sockaddr *sa, struct netaddr *a);
socklen_t netaddr_to_sockaddr(const struct netaddr *a, struct sockaddr_storage *ss);

/* Without the port, and with it in the form netaddr_parse_port reads. Returns out. */
const char *netaddr_format(const struct netaddr *a, char out[NETADDR_TEXT_SIZE]);
const char *netaddr_format_port(const struct netaddr *a, char out[NETADDR_TEXT_SIZE]);

/* The address as in an SMTP literal and Received: "192.0.2.1", "IPv6:2001:db8::1" (RFC 5321 4.1.3). */
const char *netaddr_format_literal(const struct netaddr *a, char out[NETADDR_TEXT_SIZE]);

/* 127/8, ::1, 0.0.0.0, ::, and NAT64 or mapped forms of these. */
bool netaddr_is_loopback(const struct netaddr *a);
bool netaddr_equal_ip(const struct netaddr *a, const struct netaddr *b);

#endif
