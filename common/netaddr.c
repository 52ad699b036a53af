/* netaddr: IPv4 and IPv6 addresses with ports, and blocks of them. See netaddr.h. */
#include "common/netaddr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};
static const unsigned char nat64_prefix[12] = {0x00, 0x64, 0xff, 0x9b}; /* RFC 6052 2.1 */

static bool
is_mapped(const unsigned char ip[16])
{
	return memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0;
}

static void
set_v4(struct netaddr *a, const void *ip, uint16_t port)
{
	*a = (struct netaddr){.family = AF_INET, .port = port};
	memcpy(a->ip, ip, 4);
}

static void
set_v6(struct netaddr *a, const void *ip, uint16_t port)
{
	if (is_mapped(ip)) {
		set_v4(a, (const unsigned char *)ip + 12, port);
		return;
	}
	*a = (struct netaddr){.family = AF_INET6, .port = port};
	memcpy(a->ip, ip, 16);
}

/* The family of a textual address with its octets as written (a mapped one stays IPv6), 0 if it is none. */
static sa_family_t
parse_raw(struct span s, unsigned char ip[16])
{
	char text[INET6_ADDRSTRLEN];

	if (s.len == 0 || s.len >= sizeof text || memchr(s.p, '\0', s.len) != NULL)
		return 0;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, ip) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, text, ip) == 1 ? AF_INET6 : 0;
}

int
netaddr_parse(struct span s, struct netaddr *a)
{
	unsigned char ip[16];
	sa_family_t family = parse_raw(s, ip);

	if (family == 0)
		return -1;
	if (family == AF_INET)
		set_v4(a, ip, 0);
	else
		set_v6(a, ip, 0);
	return 0;
}

int
netaddr_parse_port(struct span s, struct netaddr *a)
{
	ptrdiff_t colon = span_rindex(s, ':');
	struct netaddr parsed;
	struct span host;
	uint64_t port;
	bool brackets;

	if (colon < 0 || s.len - (size_t)colon - 1 > 5 ||
	    span_to_u64(span_skip(s, (size_t)colon + 1), UINT16_MAX, &port) != 0)
		return -1;
	host = span_first(s, (size_t)colon);
	brackets = host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';
	if (brackets)
		host = span_make(host.p + 1, host.len - 2);
	/* Brackets around all that is written with colons, and around nothing else. */
	if (brackets != (span_index(host, ':') >= 0) || netaddr_parse(host, &parsed) != 0)
		return -1;
	*a = parsed;
	a->port = (uint16_t)port;
	return 0;
}

/* Are all bits behind the prefix zero? */
static bool
prefix_is_clean(const unsigned char *ip, unsigned bits, unsigned width)
{
	for (unsigned i = bits; i < width; i++)
		if ((ip[i / 8] & (0x80U >> (i % 8))) != 0)
			return false;
	return true;
}

int
netblock_parse(struct span s, struct netblock *b)
{
	struct span rest = s, address = span_cut(&rest, '/');
	unsigned char ip[16];
	sa_family_t family = parse_raw(address, ip);
	unsigned width = family == AF_INET ? 32 : 128;
	uint64_t bits = width;

	if (family == 0 ||
	    (rest.p != NULL && (rest.len > 3 || span_to_u64(rest, width, &bits) != 0)) ||
	    !prefix_is_clean(ip, (unsigned)bits, width))
		return -1;
	if (family == AF_INET) {
		set_v4(&b->base, ip, 0);
	} else {
		set_v6(&b->base, ip, 0);
		/* A clean mapped prefix is never shorter than the 96 bits it is mapped with. */
		if (b->base.family == AF_INET)
			bits -= 96;
	}
	b->bits = (unsigned)bits;
	return 0;
}

bool
netblock_contains(const struct netblock *b, const struct netaddr *a)
{
	unsigned whole = b->bits / 8, left = b->bits % 8;

	if (a->family != b->base.family || memcmp(a->ip, b->base.ip, whole) != 0)
		return false;
	return left == 0 ||
	       ((a->ip[whole] ^ b->base.ip[whole]) & (0xff00U >> left) & 0xffU) == 0;
}

int
netaddr_from_sockaddr(const struct sockaddr *sa, struct netaddr *a)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof in);
		set_v4(a, &in.sin_addr, ntohs(in.sin_port));
		return 0;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof in6);
		set_v6(a, &in6.sin6_addr, ntohs(in6.sin6_port));
		return 0;
	}
	return -1;
}

socklen_t
netaddr_to_sockaddr(const struct netaddr *a, struct sockaddr_storage *ss)
{
	*ss = (struct sockaddr_storage){.ss_family = a->family};
	if (a->family == AF_INET) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};

		memcpy(&in.sin_addr, a->ip, sizeof in.sin_addr);
		memcpy(ss, &in, sizeof in);
		return sizeof in;
	} else {
		struct sockaddr_in6 in6 = {
		    .sin6_family = AF_INET6, .sin6_port = htons(a->port)};

		memcpy(&in6.sin6_addr, a->ip, sizeof in6.sin6_addr);
		memcpy(ss, &in6, sizeof in6);
		return sizeof in6;
	}
}

static const char *
format(const struct netaddr *a, const char *before, const char *after, char *out)
{
	char ip[INET6_ADDRSTRLEN];

	if (inet_ntop(a->family, a->ip, ip, sizeof ip) == NULL)
		snprintf(ip, sizeof ip, "unknown");
	snprintf(out, NETADDR_TEXT_SIZE, "%s%s%s", before, ip, after);
	return out;
}

const char *
netaddr_format(const struct netaddr *a, char out[NETADDR_TEXT_SIZE])
{
	return format(a, "", "", out);
}

const char *
netaddr_format_port(const struct netaddr *a, char out[NETADDR_TEXT_SIZE])
{
	bool v6 = a->family == AF_INET6;
	char after[16];

	snprintf(after, sizeof after, "%s:%u", v6 ? "]" : "", a->port);
	return format(a, v6 ? "[" : "", after, out);
}

const char *
netaddr_format_literal(const struct netaddr *a, char out[NETADDR_TEXT_SIZE])
{
	return format(a, a->family == AF_INET6 ? "IPv6:" : "", "", out);
}

/* 127/8 or 0.0.0.0. */
static bool
is_loopback_v4(const unsigned char ip[4])
{
	static const unsigned char any[4] = {0};

	return ip[0] == 127 || memcmp(ip, any, sizeof any) == 0;
}

bool
netaddr_is_loopback(const struct netaddr *a)
{
	static const unsigned char zeros[16] = {0};

	if (a->family == AF_INET)
		return is_loopback_v4(a->ip);
	if (memcmp(a->ip, zeros, 15) == 0 && a->ip[15] <= 1)
		return true;
	return (is_mapped(a->ip) || memcmp(a->ip, nat64_prefix, sizeof nat64_prefix) == 0) &&
	       is_loopback_v4(a->ip + 12);
}

bool
netaddr_equal_ip(const struct netaddr *a, const struct netaddr *b)
{
	return a->family == b->family &&
	       memcmp(a->ip, b->ip, a->family == AF_INET ? 4 : 16) == 0;
}
