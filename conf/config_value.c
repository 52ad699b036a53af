/*
 * config_value: one value of postrider.conf from its text, by type. The same code
 * reads the file and the settings message, so a child can hold nothing that the
 * file could not say. Pure; what was expected is told in *why. See config_keys.h.
 */
#include "conf/config_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/xalloc.h"
#include "conf/config_name.h"
#include "conf/config_section.h"
#include "conf/fingerprint.h"
#include "conf/units.h"

/* Elements of one list: relay-domains of a large provider, and still one settings message. */
#define LIST_MAX  50000
#define RETRY_MAX 64

/* Of one DNS list. */
#define REPLIES_MAX 64

/* A path with its NUL fits the kernel's PATH_MAX together with what is appended to it. */
#define CONFIG_PATH_MAX 1024

static int
refuse(struct buf *why, const char *text)
{
	buf_add_str(why, text);
	return -1;
}

/* What a parser says of it. */
static int
expect(int parsed, struct buf *why, const char *text)
{
	return parsed == 0 ? 0 : refuse(why, text);
}

/* In a titled section: that of the last one. */
static void *
member(struct config *c, const struct config_key *k)
{
	size_t last = 0;

	if (config_key_is_titled(k))
		last = config_section_count(c, config_section_find(k->section)) - 1;
	return config_key_member(c, k, last);
}

static void
set_text(struct config *c, const struct config_key *k, struct span s)
{
	char **p = member(c, k);

	free(*p);
	*p = xspandup(s);
}

static int
set_name(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	if (s.len == 0 || s.len > 256 || span_has_control(s))
		return refuse(why, "expected a name");
	set_text(c, k, s);
	return 0;
}

static int
set_hostname(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	char name[DOMAIN_MAX + 1];
	const char *reason;
	size_t len;

	if (domain_canonical(s, true, name, &len, &reason) != 0) {
		buf_addf(why, "expected a domain name (%s)", reason);
		return -1;
	}
	set_text(c, k, span_make(name, len));
	return 0;
}

/* Absolute, and without a step back: a path that is compared and prefixed must say where it leads. */
static int
set_path(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	struct span rest = s;

	if (s.len == 0 || s.p[0] != '/')
		return refuse(why, "expected an absolute path, beginning with /");
	if (s.len > CONFIG_PATH_MAX || span_has_control(s))
		return refuse(why, "expected a path without control characters and of at most "
				   "1024 octets");
	while (rest.p != NULL) {
		if (span_is(span_cut(&rest, '/'), ".."))
			return refuse(why, "expected a path without ..");
	}
	while (s.len > 1 && s.p[s.len - 1] == '/')
		s.len--;
	set_text(c, k, s);
	return 0;
}

static int
set_address(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	struct address a;
	const char *reason;

	if (address_parse(s, ADDRESS_UTF8, &a, &reason) != 0) {
		buf_addf(why, "expected an address local@domain (%s)", reason);
		return -1;
	}
	set_text(c, k, address_span(&a));
	return 0;
}

static int
set_smarthost(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	char text[CONFIG_NEXT_HOP_SIZE];

	/* A port is wanted: [host] alone is for routes. */
	if ((s.len > 0 && s.p[s.len - 1] == ']') || config_name_next_hop(s, text) != 0)
		return refuse(why, "expected host:port or [address]:port");
	set_text(c, k, span_str(text));
	return 0;
}

static int
in_range(const struct config_key *k, uint64_t v, struct buf *why)
{
	char least[UNITS_TEXT_SIZE], most[UNITS_TEXT_SIZE];

	if (v >= k->min && v <= k->max)
		return 0;
	if (k->type == CONFIG_SIZE) {
		units_format_size(k->min, least);
		units_format_size(k->max, most);
	} else if (k->type == CONFIG_NUMBER) {
		snprintf(least, sizeof least, "%llu", (unsigned long long)k->min);
		snprintf(most, sizeof most, "%llu", (unsigned long long)k->max);
	} else {
		units_format_duration(k->min, least);
		units_format_duration(k->max, most);
	}
	buf_addf(why, "expected from %s to %s", least, most);
	return -1;
}

static int
set_quantity(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	uint64_t v;

	if (k->type == CONFIG_NUMBER) {
		if (span_to_u64(s, UINT64_MAX, &v) != 0)
			return refuse(why, "expected a whole number such as 100");
		if (in_range(k, v, why) != 0)
			return -1;
		*(uint32_t *)member(c, k) = (uint32_t)v;
		return 0;
	}
	if (k->type == CONFIG_SIZE && units_parse_size(s, &v) != 0)
		return refuse(why, "expected a size such as 512K, 35M or 1G");
	if (k->type == CONFIG_DURATION && units_parse_duration(s, &v) != 0)
		return refuse(why, "expected a duration such as 200ms, 5s, 10m, 4h or 5d");
	if (in_range(k, v, why) != 0)
		return -1;
	*(uint64_t *)member(c, k) = v;
	return 0;
}

static int
add_duration(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	uint64_t **list = member(c, k), v;
	size_t *n = (size_t *)(list + 1);

	if (units_parse_duration(s, &v) != 0)
		return refuse(why, "expected durations such as 5m or 1h");
	if (in_range(k, v, why) != 0)
		return -1;
	if (*n >= RETRY_MAX)
		return refuse(why, "expected at most 64 durations");
	*list = xreallocarray(*list, *n + 1, sizeof **list);
	(*list)[(*n)++] = v;
	return 0;
}

static int
append(struct config_strings *list, struct span s, struct buf *why)
{
	if (list->n >= LIST_MAX)
		return refuse(why, "expected at most 50000 entries");
	/* Grown by powers of two, whose end the length itself tells. */
	if ((list->n & (list->n - 1)) == 0)
		list->v =
		    xreallocarray(list->v, list->n > 0 ? 2 * list->n : 1, sizeof *list->v);
	list->v[list->n++] = xspandup(s);
	return 0;
}

static int
add_domain(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	char name[DOMAIN_MAX + 2];
	const char *reason;

	if (config_name_domain(s, name, &reason) != 0) {
		buf_addf(why, "expected a domain name (%s)", reason);
		return -1;
	}
	return append(member(c, k), span_str(name), why);
}

static int
add_netblock(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	struct config_netblocks *list = member(c, k);
	struct netblock b;

	if (netblock_parse(s, &b) != 0)
		return refuse(why, "expected an address or a network such as 192.0.2.0/24 or "
				   "2001:db8::/32, no bits set beyond the prefix");
	if (list->n >= LIST_MAX)
		return refuse(why, "expected at most 50000 entries");
	if ((list->n & (list->n - 1)) == 0)
		list->v =
		    xreallocarray(list->v, list->n > 0 ? 2 * list->n : 1, sizeof *list->v);
	list->v[list->n++] = b;
	return 0;
}

static int
add_resolver(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	char text[NETADDR_TEXT_SIZE];
	struct netaddr a;

	if (netaddr_parse(s, &a) == 0)
		a.port = 53;
	else if (netaddr_parse_port(s, &a) != 0 || a.port == 0)
		return refuse(why, "expected address:port, or an address for port 53");
	return append(member(c, k), span_str(netaddr_format_port(&a, text)), why);
}

static int
add_fingerprint(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	char text[FINGERPRINT_SIZE];

	if (fingerprint_parse(s, text) != 0)
		return refuse(why, "expected the SHA-256 of a certificate or public key, 64 "
				   "hexadecimal digits, as openssl x509 -fingerprint -sha256 "
				   "prints it");
	return append(member(c, k), span_str(text), why);
}

static int
set_role(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	enum listener_role role;

	if (listener_role_parse(s, &role) != 0 || role == LISTENER_SUBMIT)
		return refuse(why, "expected mx or submission");
	*(enum listener_role *)member(c, k) = role;
	return 0;
}

static int
set_rate(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	if (units_parse_rate(s, member(c, k)) != 0)
		return refuse(why, "expected a rate such as 10/second, 6/minute, 100/hour or "
				   "500/day, from 1 to 1000000");
	return 0;
}

static int
set_double_bounce(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	enum config_double_bounce *place = member(c, k);

	if (!span_is(s, "drop") && !span_is(s, "postmaster"))
		return refuse(why, "expected drop or postmaster");
	*place = span_is(s, "drop") ? DOUBLE_BOUNCE_DROP : DOUBLE_BOUNCE_POSTMASTER;
	return 0;
}

static int
set_check(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	enum config_check check;

	if (config_check_parse(s, &check) != 0 || (check == CHECK_LOOKUP && k->max == 0)) {
		buf_addf(why, "expected off, %swarn or reject", k->max > 0 ? "lookup, " : "");
		return -1;
	}
	*(enum config_check *)member(c, k) = check;
	return 0;
}

static int
add_reply(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	struct reply_filter **list = member(c, k), f;
	size_t *n = (size_t *)(list + 1);

	if (reply_filter_parse(s, &f) != 0)
		return refuse(why, "expected an address below 127.0.0.0/8, or several such as "
				   "127.0.0.2..11");
	if (*n >= REPLIES_MAX)
		return refuse(why, "expected at most 64 replies");
	*list = xreallocarray(*list, *n + 1, sizeof **list);
	(*list)[(*n)++] = f;
	return 0;
}

static int
set_reply(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	if (s.len == 0 || s.len > 256 || span_has_control(s))
		return refuse(why, "expected a text of at most 256 octets on one line");
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] != '%')
			continue;
		if (++i == s.len || (s.p[i] != 'c' && s.p[i] != 'z' && s.p[i] != '%'))
			return refuse(why, "expected behind % one of c (the client), z (the "
					   "zone) or %");
	}
	set_text(c, k, s);
	return 0;
}

static int
parse_bool(struct span s, bool *yes)
{
	*yes = span_is(s, "yes") || span_is(s, "true") || span_is(s, "on");
	return *yes || span_is(s, "no") || span_is(s, "false") || span_is(s, "off") ? 0 : -1;
}

static int
set_bool(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	if (parse_bool(s, member(c, k)) != 0)
		return refuse(why, "expected yes or no");
	return 0;
}

/* What OpenSSL says of it is found out later (conf/config_check_tls.c). An @ would change what is safe elsewhere. */
static int
set_ciphers(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	if (s.len == 0 || s.len > 2048 || span_has_control(s) || span_index(s, '@') >= 0)
		return refuse(
		    why, "expected names of OpenSSL with colons between them, without @");
	set_text(c, k, s);
	return 0;
}

static int
set_either(struct config *c, const struct config_key *k, struct span s, const char *no,
    const char *yes, struct buf *why)
{
	if (!span_is(s, no) && !span_is(s, yes)) {
		buf_addf(why, "expected %s or %s", no, yes);
		return -1;
	}
	*(bool *)member(c, k) = span_is(s, yes);
	return 0;
}

static int
set_auto(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	bool on = false;

	if (span_is(s, "auto")) {
		*(enum config_auto *)member(c, k) = CONFIG_AUTO;
		return 0;
	}
	if (parse_bool(s, &on) != 0)
		return refuse(why, "expected auto, yes or no");
	*(enum config_auto *)member(c, k) = on ? CONFIG_YES : CONFIG_NO;
	return 0;
}

static int
set_unfinished(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	return expect(
	    header_unfinished_parse(s, member(c, k)), why, "expected accept, hold or refuse");
}

static int
set_log_level(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	return expect(log_level_parse(s, member(c, k)), why, "expected debug, info or warn");
}

static int
set_calls(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	return expect(
	    syscall_filter_mode_parse(s, member(c, k)), why, "expected enforce, log or off");
}

static int
set_tls(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	return expect(
	    listener_tls_parse(s, member(c, k)), why, "expected starttls, implicit or none");
}

int
config_key_set(struct config *c, const struct config_key *k, struct span s, struct buf *why)
{
	switch (k->type) {
	case CONFIG_HOSTNAME:
		return set_hostname(c, k, s, why);
	case CONFIG_PATH:
		return set_path(c, k, s, why);
	case CONFIG_TEXT:
		return set_name(c, k, s, why);
	case CONFIG_ADDRESS:
		return set_address(c, k, s, why);
	case CONFIG_SMARTHOST:
		return set_smarthost(c, k, s, why);
	case CONFIG_NUMBER:
	case CONFIG_SIZE:
	case CONFIG_DURATION:
		return set_quantity(c, k, s, why);
	case CONFIG_BOOL:
		return set_bool(c, k, s, why);
	case CONFIG_AUTO_BOOL:
		return set_auto(c, k, s, why);
	case CONFIG_TLS_LEAST:
		return set_either(c, k, s, "1.2", "1.3", why);
	case CONFIG_CIPHERS:
		return set_ciphers(c, k, s, why);
	case CONFIG_ASK:
		return set_either(c, k, s, "no", "ask", why);
	case CONFIG_DOUBLE:
		return set_double_bounce(c, k, s, why);
	case CONFIG_UNFINISHED:
		return set_unfinished(c, k, s, why);
	case CONFIG_CHECK:
		return set_check(c, k, s, why);
	case CONFIG_REPLIES:
		return add_reply(c, k, s, why);
	case CONFIG_REPLY:
		return set_reply(c, k, s, why);
	case CONFIG_LOG_LEVEL:
		return set_log_level(c, k, s, why);
	case CONFIG_CALLS:
		return set_calls(c, k, s, why);
	case CONFIG_DURATIONS:
		return add_duration(c, k, s, why);
	case CONFIG_DOMAINS:
		return add_domain(c, k, s, why);
	case CONFIG_NETBLOCKS:
		return add_netblock(c, k, s, why);
	case CONFIG_RESOLVERS:
		return add_resolver(c, k, s, why);
	case CONFIG_FINGERPRINTS:
		return add_fingerprint(c, k, s, why);
	case CONFIG_ROLE:
		return set_role(c, k, s, why);
	case CONFIG_TLS:
		return set_tls(c, k, s, why);
	case CONFIG_RATE:
		return set_rate(c, k, s, why);
	}
	return -1;
}
