/*
 * dns_answer: DNS replies read and judged. See dns_answer.h. Octets are reached
 * through a cursor that knows the end of the message.
 */
#include "deliver/dns_answer.h"

#include <string.h>

#include "common/span.h"

#define CNAMES_MAX	 8
#define JUMPS_MAX	 32
#define RECORDS_SEEN_MAX 1024

#define TYPE_CNAME 5
#define TYPE_SOA   6
#define CLASS_IN   1

struct cursor {
	const unsigned char *p;
	size_t n, at;
	bool bad; /* something was read beyond the end, or makes no sense */
};

struct record {
	char owner[DOMAIN_MAX + 1];
	uint16_t type, class;
	uint32_t ttl;
	size_t data, len; /* offset and length of its rdata */
};

/* --- octets --- */

static uint8_t
u8(struct cursor *c)
{
	if (c->at >= c->n) {
		c->bad = true;
		return 0;
	}
	return c->p[c->at++];
}

static uint16_t
u16(struct cursor *c)
{
	unsigned high = u8(c);

	return (uint16_t)(high << 8 | u8(c));
}

static uint32_t
u32(struct cursor *c)
{
	uint32_t high = u16(c);

	return high << 16 | u16(c);
}

/*
 * A domain name, in lower case, labels joined by dots, "" for the root. An octet that
 * cannot be part of a name we would ever use (a dot within a label, a control) becomes
 * '?', which matches nothing.
 */
static void
name(struct cursor *c, char out[DOMAIN_MAX + 1])
{
	size_t len = 0, back = 0;
	unsigned jumps = 0;

	for (;;) {
		unsigned n = u8(c);

		if (c->bad || n == 0)
			break;
		if ((n & 0xc0) == 0xc0) {
			size_t to = (n & 0x3f) << 8 | u8(c);

			if (back == 0)
				back = c->at;
			if (c->bad || ++jumps > JUMPS_MAX || to >= c->n) {
				c->bad = true;
				break;
			}
			c->at = to;
			continue;
		}
		if (n > 63 || len + n + 1 > DOMAIN_MAX) {
			c->bad = true;
			break;
		}
		if (len > 0)
			out[len++] = '.';
		while (n-- > 0) {
			unsigned char o = u8(c);

			if (o >= 'A' && o <= 'Z')
				o = (unsigned char)(o - 'A' + 'a');
			out[len++] = o <= ' ' || o >= 0x7f || o == '.' ? '?' : (char)o;
		}
	}
	out[len] = '\0';
	if (back != 0)
		c->at = back;
}

static void
record(struct cursor *c, struct record *r)
{
	name(c, r->owner);
	r->type = u16(c);
	r->class = u16(c);
	r->ttl = u32(c);
	if (r->ttl > INT32_MAX)
		r->ttl = 0; /* RFC 2181 8 */
	r->len = u16(c);
	r->data = c->at;
	if (r->len > c->n - c->at)
		c->bad = true;
	else
		c->at += r->len;
}

/* A cursor over the rdata; names in it may point anywhere before. */
static struct cursor
rdata(const struct cursor *c, const struct record *r)
{
	return (struct cursor){.p = c->p, .n = c->n, .at = r->data};
}

/* --- names --- */

bool
dns_name_is_host(struct span s)
{
	if (s.len == 0 || s.len > 253)
		return false;
	while (s.p != NULL) {
		struct span label = span_cut(&s, '.');

		if (label.len == 0 || label.len > 63 || label.p[0] == '-' ||
		    label.p[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++) {
			char o = label.p[i];

			if (!(o >= 'a' && o <= 'z') && !(o >= 'A' && o <= 'Z') &&
			    !(o >= '0' && o <= '9') && o != '-' && o != '_')
				return false;
		}
	}
	return true;
}

/* Is zone the name itself or above it? */
static bool
is_within(const char *name_, const char *zone)
{
	size_t n = strlen(name_), z = strlen(zone);

	if (z == 0)
		return true;
	return n >= z && strcmp(name_ + n - z, zone) == 0 &&
	       (n == z || name_[n - z - 1] == '.');
}

/* --- one answer --- */

static void
take_mx(struct dns_answer *a, const struct cursor *c, const struct record *r)
{
	struct cursor d = rdata(c, r);
	struct dns_mx *mx = &a->mx[a->n];

	mx->preference = u16(&d);
	name(&d, mx->host);
	if (!d.bad && d.at <= r->data + r->len &&
	    (mx->host[0] == '\0' || dns_name_is_host(span_str(mx->host))))
		a->n++;
}

static void
take_ptr(struct dns_answer *a, const struct cursor *c, const struct record *r)
{
	struct cursor d = rdata(c, r);
	struct dns_mx *to = &a->mx[a->n];

	to->preference = 0;
	name(&d, to->host);
	if (!d.bad && d.at <= r->data + r->len && dns_name_is_host(span_str(to->host)))
		a->n++;
}

static void
take_address(struct dns_answer *a, const struct cursor *c, const struct record *r)
{
	bool six = r->type == DNS_TYPE_AAAA;
	struct netaddr *to = &a->address[a->n];

	if (r->len != (six ? 16 : 4))
		return;
	*to = (struct netaddr){.family = six ? AF_INET6 : AF_INET};
	memcpy(to->ip, c->p + r->data, r->len);
	a->n++;
}

/* Follows CNAMEs from who, as far as the answer section leads. */
static bool
follow_cname(
    const struct cursor *answers, unsigned count, char who[DOMAIN_MAX + 1], uint32_t *ttl)
{
	for (unsigned hops = 0; hops <= CNAMES_MAX; hops++) {
		struct cursor c = *answers;
		bool moved = false;

		for (unsigned i = 0; i < count && !moved; i++) {
			struct record r;

			record(&c, &r);
			if (c.bad)
				return false;
			if (r.type == TYPE_CNAME && r.class == CLASS_IN &&
			    strcmp(r.owner, who) == 0) {
				struct cursor d = rdata(&c, &r);

				name(&d, who);
				if (d.bad)
					return false;
				*ttl = r.ttl < *ttl ? r.ttl : *ttl;
				moved = true;
			}
		}
		if (!moved)
			return true;
	}
	return false; /* round and round */
}

/* Is there a SOA of a zone that holds this name: the mark of an answer by somebody in charge (RFC 2308 2)? */
static bool
has_soa(struct cursor *c, unsigned count, const char *who, uint32_t *ttl)
{
	for (unsigned i = 0; i < count; i++) {
		struct record r;

		record(c, &r);
		if (c->bad)
			return false;
		if (r.type == TYPE_SOA && r.class == CLASS_IN && is_within(who, r.owner)) {
			*ttl = r.ttl < *ttl ? r.ttl : *ttl;
			return true;
		}
	}
	return false;
}

/* Takes the records asked for. Were there any, usable or not? Without any, c stands behind the answers. */
static bool
collect(struct dns_answer *a, struct cursor *c, unsigned count, const char *who, uint16_t type,
    uint32_t *ttl)
{
	bool seen = false;

	for (unsigned i = 0; i < count && a->n < DNS_RECORDS_MAX; i++) {
		struct record r;

		record(c, &r);
		if (c->bad)
			return false;
		if (r.type != type || r.class != CLASS_IN || strcmp(r.owner, who) != 0)
			continue;
		seen = true;
		*ttl = r.ttl < *ttl ? r.ttl : *ttl;
		if (type == DNS_TYPE_MX)
			take_mx(a, c, &r);
		else if (type == DNS_TYPE_PTR)
			take_ptr(a, c, &r);
		else
			take_address(a, c, &r);
	}
	return seen;
}

static uint32_t
clamp_ttl(uint32_t ttl)
{
	if (ttl < DNS_TTL_MIN)
		return DNS_TTL_MIN;
	return ttl > DNS_TTL_MAX ? DNS_TTL_MAX : ttl;
}

static enum dns_result
parse(struct cursor *c, const char *name_, uint16_t type, struct dns_answer *a, uint32_t *ttl)
{
	char who[DOMAIN_MAX + 1], asked[DOMAIN_MAX + 1];
	uint16_t flags, count[4];
	struct cursor answers;
	unsigned rcode;
	bool seen;

	u16(c);
	flags = u16(c);
	for (size_t i = 0; i < 4; i++)
		count[i] = u16(c);
	rcode = flags & 0xf;
	if (c->bad || (flags & 0x8000) == 0 || (flags & 0x7800) != 0 || count[0] != 1 ||
	    count[1] > RECORDS_SEEN_MAX || count[2] > RECORDS_SEEN_MAX ||
	    (rcode != 0 && rcode != 3))
		return DNS_TEMPORARY;
	name(c, asked);
	if (u16(c) != type || u16(c) != CLASS_IN || c->bad || strcmp(asked, name_) != 0)
		return DNS_TEMPORARY;
	memcpy(who, asked, sizeof who);
	answers = *c;
	if (!follow_cname(&answers, count[1], who, ttl))
		return DNS_TEMPORARY;
	seen = collect(a, c, count[1], who, type, ttl);
	if (c->bad)
		return DNS_TEMPORARY;
	if (a->n > 0 || (seen && (type == DNS_TYPE_MX || type == DNS_TYPE_PTR)))
		return DNS_FOUND; /* MX records that cannot be used are no reason to look for addresses */
	if (rcode == 3)
		return has_soa(c, count[2], who, ttl) ? DNS_NO_NAME : DNS_TEMPORARY;
	return DNS_NO_DATA;
}

void
dns_answer_parse(
    const unsigned char *p, size_t n, const char *name_, uint16_t type, struct dns_answer *a)
{
	struct cursor c = {.p = p, .n = n};
	uint32_t ttl = DNS_TTL_MAX;

	a->n = 0;
	a->result = parse(&c, name_, type, a, &ttl);
	if (a->result != DNS_FOUND)
		a->n = 0;
	a->ttl = clamp_ttl(ttl);
}

/* --- what it means --- */

void
dns_answer_sort_mx(struct dns_answer *a, uint32_t (*random)(void))
{
	for (size_t i = a->n; i > 1; i--) { /* shuffle, then sort without disturbing equals */
		size_t j = random() % i;
		struct dns_mx t = a->mx[i - 1];

		a->mx[i - 1] = a->mx[j];
		a->mx[j] = t;
	}
	for (size_t i = 1; i < a->n; i++) {
		struct dns_mx t = a->mx[i];
		size_t j = i;

		for (; j > 0 && a->mx[j - 1].preference > t.preference; j--)
			a->mx[j] = a->mx[j - 1];
		a->mx[j] = t;
	}
}

static bool
is_localhost(const char *host)
{
	size_t n = strlen(host);

	return strcmp(host, "localhost") == 0 ||
	       (n > 10 && strcmp(host + n - 10, ".localhost") == 0);
}

bool
dns_answer_usable_mx(
    struct dns_answer *a, const char *domain, const char *self, struct verdict *v)
{
	bool null = a->n == 1 && a->mx[0].host[0] == '\0', loop = false;
	uint32_t limit = UINT32_MAX;
	size_t kept = 0;

	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->mx[i].host, self) == 0 && a->mx[i].preference < limit)
			limit = a->mx[i].preference;
	for (size_t i = 0; i < a->n; i++) {
		const struct dns_mx *mx = &a->mx[i];

		if (mx->preference >= limit || is_localhost(mx->host))
			loop = true;
		else if (mx->host[0] != '\0')
			a->mx[kept++] = *mx;
	}
	a->n = kept;
	if (kept > 0)
		return true;
	if (null)
		verdict_set(
		    v, VERDICT_PERMANENT, 556, "5.1.10", "%s takes no mail (null MX)", domain);
	else if (loop)
		verdict_set(v, VERDICT_PERMANENT, 554, "5.4.6",
		    "Mail for %s loops back to myself: its MX names this host", domain);
	else
		verdict_set(
		    v, VERDICT_PERMANENT, 550, "5.4.4", "No MX of %s is usable", domain);
	return false;
}

void
dns_answer_verdict(
    enum dns_result result, const char *domain, const char *what, struct verdict *v)
{
	switch (result) {
	case DNS_NO_NAME:
		verdict_set(
		    v, VERDICT_PERMANENT, 550, "5.1.2", "Domain %s does not exist", domain);
		break;
	case DNS_NO_DATA:
		verdict_set(v, VERDICT_PERMANENT, 550, "5.4.4", "%s has no %s in the DNS",
		    domain, what);
		break;
	case DNS_FOUND:
	case DNS_TEMPORARY:
		verdict_set(v, VERDICT_TEMPORARY, 451, "4.4.3",
		    "The DNS does not tell the %s of %s now", what, domain);
		break;
	}
}
