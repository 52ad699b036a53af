/*
 * proxy_header: the header of the PROXY protocol. See proxy_header.h. Called by
 * proxy_wait for every octet that it takes from a socket. Invariant: MORE is said only
 * while every octet at hand is the header's, so that none of the client's is ever taken.
 */
#include "smtpd/proxy_header.h"

#include <string.h>

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
static const char word[] = "PROXY ";

#define SIGNATURE_LEN 12
#define FIXED_LEN     16

static enum proxy_header_result
bad(const char **why, const char *text)
{
	*why = text;
	return PROXY_HEADER_BAD;
}

/* Does in, as far as it goes, begin as text does? */
static bool
may_be(struct span in, const char *text, size_t len)
{
	return memcmp(in.p, text, in.len < len ? in.len : len) == 0;
}

/* "192.0.2.1" or "2001:db8::1", in the form that the family is written in. */
static int
parse_address(struct span text, bool six, struct netaddr *a)
{
	return (span_index(text, ':') >= 0) == six ? netaddr_parse(text, a) : -1;
}

static int
parse_port(struct span text, uint16_t *port)
{
	uint64_t n;

	if (span_to_u64(text, UINT16_MAX, &n) != 0 || (text.len > 1 && text.p[0] == '0'))
		return -1;
	*port = (uint16_t)n;
	return 0;
}

/* The line without its CRLF, behind "PROXY ". */
static enum proxy_header_result
parse_line(struct span line, struct proxy_header *h, const char **why)
{
	struct span family = span_cut(&line, ' '), part[4];
	struct netaddr proxy;
	uint16_t port;
	bool six = span_is(family, "TCP6");

	/* What follows UNKNOWN is not looked at (2.1). */
	if (span_is(family, "UNKNOWN")) {
		h->kind = PROXY_HEADER_NOBODY;
		return PROXY_HEADER_WHOLE;
	}
	if (!six && !span_is(family, "TCP4"))
		return bad(why, "neither TCP4, TCP6 nor UNKNOWN");
	for (int i = 0; i < 4; i++)
		part[i] = line.p != NULL ? span_cut(&line, ' ') : span_make("", 0);
	if (line.p != NULL || parse_address(part[0], six, &h->client) != 0 ||
	    parse_address(part[1], six, &proxy) != 0)
		return bad(why, "malformed address");
	if (parse_port(part[2], &h->client.port) != 0 || parse_port(part[3], &port) != 0)
		return bad(why, "malformed port");
	h->kind = PROXY_HEADER_CLIENT;
	return PROXY_HEADER_WHOLE;
}

static enum proxy_header_result
parse_text(struct span in, struct proxy_header *h, const char **why)
{
	const char *lf = memchr(in.p, '\n', in.len);
	size_t n = lf != NULL ? (size_t)(lf - in.p) : in.len;

	if (lf == NULL)
		return in.len < PROXY_HEADER_SEEN ? PROXY_HEADER_MORE
						  : bad(why, "line too long");
	if (in.p[n - 1] != '\r')
		return bad(why, "line without CR LF");
	h->len = (uint32_t)n + 1;
	return parse_line(span_skip(span_first(in, n - 1), strlen(word)), h, why);
}

/* Family and protocol as an octet, with how long the addresses are. */
enum address_form { FORM_NONE = 0x00, FORM_TCP4 = 0x11, FORM_TCP6 = 0x21, FORM_UNIX = 0x31 };

static enum proxy_header_result
take_tcp4(struct span in, struct proxy_header *h)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};

	if (in.len < FIXED_LEN + 12)
		return PROXY_HEADER_MORE;
	memcpy(&sa.sin_addr, in.p + FIXED_LEN, 4);
	memcpy(&sa.sin_port, in.p + FIXED_LEN + 8, 2);
	h->kind = PROXY_HEADER_CLIENT;
	return netaddr_from_sockaddr((const struct sockaddr *)&sa, &h->client) == 0
		   ? PROXY_HEADER_WHOLE
		   : PROXY_HEADER_BAD;
}

static enum proxy_header_result
take_tcp6(struct span in, struct proxy_header *h)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6};

	if (in.len < FIXED_LEN + 36)
		return PROXY_HEADER_MORE;
	memcpy(&sa.sin6_addr, in.p + FIXED_LEN, 16);
	memcpy(&sa.sin6_port, in.p + FIXED_LEN + 32, 2);
	h->kind = PROXY_HEADER_CLIENT;
	return netaddr_from_sockaddr((const struct sockaddr *)&sa, &h->client) == 0
		   ? PROXY_HEADER_WHOLE
		   : PROXY_HEADER_BAD;
}

static enum proxy_header_result
parse_binary(struct span in, struct proxy_header *h, const char **why)
{
	const unsigned char *u = (const unsigned char *)in.p;
	unsigned len;

	if (in.len > SIGNATURE_LEN && u[12] != 0x20 && u[12] != 0x21)
		return bad(why, "neither LOCAL nor PROXY of version 2");
	if (in.len < FIXED_LEN)
		return PROXY_HEADER_MORE;
	len = (unsigned)u[14] << 8 | u[15];
	h->len = FIXED_LEN + len;
	h->kind = PROXY_HEADER_NOBODY;
	/* Of LOCAL the rest means nothing (2.2). */
	if (u[12] == 0x20)
		return PROXY_HEADER_WHOLE;
	switch ((enum address_form)u[13]) {
	case FORM_NONE:
		return PROXY_HEADER_WHOLE;
	case FORM_TCP4:
		return len < 12 ? bad(why, "no room for an IPv4 address") : take_tcp4(in, h);
	case FORM_TCP6:
		return len < 36 ? bad(why, "no room for an IPv6 address") : take_tcp6(in, h);
	case FORM_UNIX:
		return len < 216 ? bad(why, "no room for a path") : PROXY_HEADER_WHOLE;
	}
	return bad(why, "neither TCP nor a Unix socket");
}

enum proxy_header_result
proxy_header_parse(struct span in, struct proxy_header *h, const char **why)
{
	*why = NULL;
	*h = (struct proxy_header){.len = 0};
	if (in.len == 0)
		return PROXY_HEADER_MORE;
	if (may_be(in, signature, SIGNATURE_LEN))
		return parse_binary(in, h, why);
	if (!may_be(in, word, strlen(word)))
		return bad(why, "no PROXY header");
	return in.len > strlen(word) ? parse_text(in, h, why) : PROXY_HEADER_MORE;
}
