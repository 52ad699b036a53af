/*
 * access_key: the keys of sendmail's access table. See access_key.h. Called by conf/access_table. Invariant: a key
 * that is taken is spelled as a look-up spells what it asks for.
 */
#include "conf/access_key.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/netaddr.h"
#include "conf/fold.h"

#define LONGEST (ADDRESS_MAX + 16)

static const char *const tags[] = {
    [ACCESS_CONNECT] = "connect", [ACCESS_FROM] = "from", [ACCESS_TO] = "to"};

/* Tags of sendmail's features that are not part of who may send what. */
static const char *const foreign_tags[] = {"ClientRate", "ClientConn", "GreetPause", "TLS_Srv",
    "TLS_Clt", "TLS_Rcpt", "Try_TLS", "Srv_Features", "Clt_Features", "TLS_Srv_Features",
    "TLS_Clt_Features", "AuthInfo", "CERTISSUER", "CERTSUBJECT", "Spam", "BadRCPTThrottle"};

const char *
access_tag_name(enum access_tag tag)
{
	return tags[tag];
}

void
access_key_init(struct access_key *key)
{
	buf_init(&key->text, ACCESS_KEY_MAX);
	key->is_name = false;
	key->why[0] = '\0';
}

void
access_key_release(struct access_key *key)
{
	buf_release(&key->text);
}

static void __attribute__((format(printf, 2, 3)))
complain(struct access_key *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(key->why, sizeof key->why, fmt, ap);
	va_end(ap);
}

/* Numbers and dots: an address or a network, or meant as one. */
static bool
is_numeric(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '.')
			return false;
	return s.len > 0;
}

/* One to four octets as a client's address is written, which is what they are compared with. */
static int
add_octets(struct buf *key, struct span s)
{
	struct span rest = s;
	unsigned n = 0;
	uint64_t v;

	while (rest.p != NULL) {
		struct span octet = span_cut(&rest, '.');

		if (octet.len == 0 || ++n > 4 || span_to_u64(octet, 255, &v) != 0 ||
		    (octet.len > 1 && octet.p[0] == '0'))
			return -1;
	}
	return buf_add_span(key, s);
}

/* Groups of IPv6 as %x, which is what a client's address is compared with: "2001:db8". -1 if it is no such thing. */
static int
add_groups(struct buf *key, struct span s)
{
	struct netaddr a;
	unsigned n = 0;

	if (memmem(s.p, s.len, "::", 2) != NULL) {
		if (netaddr_parse(s, &a) != 0 || a.family != AF_INET6)
			return -1;
		for (unsigned i = 0; i < 16; i += 2)
			buf_addf(key, "%s%x", i > 0 ? ":" : "", a.ip[i] << 8 | a.ip[i + 1]);
		return 0;
	}
	while (s.p != NULL) {
		struct span group = span_cut(&s, ':');
		char digits[5] = {0}, *end;

		if (group.len == 0 || group.len > 4 || ++n > 8)
			return -1;
		memcpy(digits, group.p, group.len);
		buf_addf(key, "%s%lx", n > 1 ? ":" : "", strtoul(digits, &end, 16));
		if (*end != '\0' || digits[0] == '-' || digits[0] == '+')
			return -1;
	}
	return 0;
}

/* An address or network of clients. What ends in "::" is meant as a network; that address can be written in full. */
static int
add_numbers(struct access_key *key, struct span s)
{
	bool v6 = span_starts_with_nocase(s, "IPv6:");
	struct span shown = span_first(s, 200);

	if (v6)
		buf_add_str(&key->text, "ipv6:");
	if (v6 && s.len > 7 && memcmp(s.p + s.len - 2, "::", 2) == 0)
		complain(key, "%.*s: expected %.*s for the network", SPAN_ARG(shown),
		    SPAN_ARG(span_first(shown, s.len - 2)));
	else if ((v6 ? add_groups(&key->text, span_skip(s, 5)) : add_octets(&key->text, s)) ==
		 0)
		return 0;
	else
		complain(key, "%.*s: expected %s", SPAN_ARG(shown),
		    v6 ? "groups of hexadecimal digits behind IPv6:"
		       : "up to four numbers to 255, no zeros in front, such as 192.0.2");
	return -1;
}

/* user@ or user@domain. */
static int
add_mailbox(struct access_key *key, struct span s)
{
	char text[LONGEST + 2], local[LOCAL_PART_MAX + 1];
	struct address a;
	const char *why;
	bool everywhere = s.p[s.len - 1] == '@';

	if (s.len >= LONGEST) {
		complain(key, "the key is too long");
		return -1;
	}
	memcpy(text, s.p, s.len);
	memcpy(text + s.len, "x", 2);
	if (address_parse(
		span_make(text, s.len + (everywhere ? 1 : 0)), ADDRESS_UTF8, &a, &why) != 0) {
		complain(key, "%.*s: %s", SPAN_ARG(s), why);
		return -1;
	}
	/* Folded, so that no other spelling of a name passes its line; in quotes, as conf/access_forms looks for it first. */
	fold_name(address_local(&a), local);
	buf_add_str(&key->text, local);
	buf_add_char(&key->text, '@');
	if (!everywhere)
		buf_add_span(&key->text, address_domain(&a));
	return 0;
}

/* "192.0.2.0/24" is not how this table writes a network: tells how it does. false: it is no such thing. */
static bool
complain_of_prefix(struct access_key *key, struct span s)
{
	struct span bits = s, base = span_cut(&bits, '/'), rest = base;
	struct netaddr a;
	uint64_t n;
	size_t octets = 0, len = 0;

	if (bits.p == NULL || span_to_u64(bits, 128, &n) != 0 || netaddr_parse(base, &a) != 0)
		return false;
	for (; rest.p != NULL && octets < n / 8; octets++) {
		span_cut(&rest, '.');
		len = rest.p != NULL ? (size_t)(rest.p - base.p) - 1 : base.len;
	}
	if (span_index(base, ':') < 0 && n >= 8 && n <= 32 && n % 8 == 0)
		complain(key, "%.*s: expected %.*s for this network", SPAN_ARG(s),
		    SPAN_ARG(span_first(base, len)));
	else
		complain(key,
		    "%.*s: expected whole octets such as 192.0.2 for 192.0.2.0/24, or groups "
		    "such as IPv6:2001:db8",
		    SPAN_ARG(s));
	return true;
}

static int
add_domain(struct access_key *key, struct span s)
{
	char domain[DOMAIN_MAX + 1];
	const char *why;
	size_t len;

	if (domain_canonical(s, true, domain, &len, &why) != 0) {
		if (!complain_of_prefix(key, s))
			complain(key, "%.*s: %s", SPAN_ARG(span_first(s, 200)), why);
		return -1;
	}
	buf_add_str(&key->text, domain);
	return 0;
}

/* The tag in front of a key, cut off *s. -1 if there is none that is ours; *foreign if it is another feature's. */
static int
take_tag(struct span *s, bool *foreign)
{
	struct span rest = *s, tag = span_cut(&rest, ':');
	int i;

	*foreign = false;
	if (rest.p == NULL)
		return -1;
	i = span_among_nocase(tag, tags, sizeof tags / sizeof *tags);
	if (i >= 0)
		*s = rest;
	else
		*foreign = span_among_nocase(tag, foreign_tags,
			       sizeof foreign_tags / sizeof *foreign_tags) >= 0;
	return i;
}

/* A client is no mailbox, and a sender or recipient no network: such a line would never match. */
static bool
is_misplaced(struct access_key *key, int tag, struct span s)
{
	if (tag == ACCESS_CONNECT && (span_is(s, "<>") || span_index(s, '@') >= 0))
		complain(key, "%.*s: expected an address, network or name of a client",
		    SPAN_ARG(span_first(s, 200)));
	else if (tag >= 0 && tag != ACCESS_CONNECT && span_starts_with_nocase(s, "IPv6:"))
		complain(key, "%.*s: expected an address or domain; networks are for Connect:",
		    SPAN_ARG(span_first(s, 200)));
	else
		return false;
	return true;
}

int
access_key_parse(struct span s, struct access_key *key)
{
	bool foreign;
	int tag = take_tag(&s, &foreign);

	if (foreign)
		return 1;
	if (s.len == 0) {
		complain(key, "expected an address, network or domain behind the tag");
		return -1;
	}
	buf_addf(&key->text, "%s:", tag >= 0 ? tags[tag] : "");
	if (is_misplaced(key, tag, s))
		return -1;
	if (span_starts_with_nocase(s, "IPv6:"))
		return add_numbers(key, s);
	if (span_is(s, "<>")) {
		buf_add_str(&key->text, "<>");
		return 0;
	}
	if (span_index(s, '@') >= 0)
		return add_mailbox(key, s);
	if (is_numeric(s) && (tag < 0 || tag == ACCESS_CONNECT))
		return add_numbers(key, s);
	key->is_name = tag < 0 || tag == ACCESS_CONNECT;
	return add_domain(key, s);
}
