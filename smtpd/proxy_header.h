/*
 * proxy_header: the header of the PROXY protocol, versions 1 and 2 ("The PROXY
 * protocol", haproxy.org), with which a proxy tells in front of everything else whose
 * connection it hands on. Pure. Every length is bounded: a line has at most 107 octets, and of
 * a binary header nothing behind the addresses is looked at.
 */
#ifndef SMTPD_PROXY_HEADER_H
#define SMTPD_PROXY_HEADER_H

#include <stdint.h>

#include "common/netaddr.h"
#include "common/span.h"

/* As much of a header as the parser ever wants to see. */
#define PROXY_HEADER_SEEN 107

enum proxy_header_kind {
	PROXY_HEADER_CLIENT, /* it names the client */
	PROXY_HEADER_NOBODY, /* well-formed, without a client that has an address: UNKNOWN, LOCAL, a Unix socket */
};

struct proxy_header {
	enum proxy_header_kind kind;
	struct netaddr client; /* for PROXY_HEADER_CLIENT, with its port */
	uint32_t
	    len; /* octets of the whole header, seen or not; what the client says follows */
};

enum proxy_header_result {
	PROXY_HEADER_MORE, /* all of in belongs to a header, and there is more of it */
	PROXY_HEADER_WHOLE,
	PROXY_HEADER_BAD, /* there is no header, or a malformed one: *why (static) says what is wrong */
};

/* in: what came so far, at most PROXY_HEADER_SEEN octets of it. */
enum proxy_header_result proxy_header_parse(
    struct span in, struct proxy_header *h, const char **why);

#endif
