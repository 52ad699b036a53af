/*
 * route: the hosts to try for a destination. See route.h. Called by relay.c. One
 * search asks for the MX, then for both address families of the first hosts, all
 * at once; a family whose servers are broken does not stop the other.
 */
#include "deliver/route.h"

#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/log.h"
#include "common/xalloc.h"

#define HOSTS_ASKED_MAX 8

struct host {
	struct search *search;
	char name[DOMAIN_MAX + 1];
	bool temporary; /* a family could not tell */
	bool skipped;	/* had an address that must not be used */
	struct netaddr six[ROUTE_ADDRESSES_MAX], four[ROUTE_ADDRESSES_MAX];
	size_t nsix, nfour;
};

struct search {
	struct dns *dns;
	const struct route_options *options;
	struct route route;
	bool trusted; /* the administrator named this host: loopback is meant */
	route_found_fn *fn;
	void *arg;
	unsigned pending;
	size_t nhosts;
	struct host hosts[HOSTS_ASKED_MAX];
	struct route_targets targets;
};

static uint32_t
random_bits(void)
{
	return arc4random();
}

/* --- destinations --- */

static int
parse_port(struct span s, uint16_t *port)
{
	uint64_t v;

	if (span_to_u64(s, UINT16_MAX, &v) != 0 || v == 0)
		return -1;
	*port = (uint16_t)v;
	return 0;
}

static int
parse_bracketed(struct span inside, struct route *r)
{
	const char *why;
	size_t len;

	r->literal = netaddr_parse(inside, &r->address) == 0;
	if (!r->literal)
		return domain_canonical(inside, true, r->host, &len, &why);
	netaddr_format(&r->address, r->host);
	return 0;
}

int
route_parse(struct span s, uint16_t port, struct route *r)
{
	ptrdiff_t close = span_rindex(s, ']');
	struct span rest;
	const char *why;
	size_t len;

	*r = (struct route){.port = port};
	if (s.len == 0 || s.p[0] != '[') {
		r->mx = true;
		return domain_canonical(s, true, r->host, &len, &why);
	}
	if (close < 2 || parse_bracketed(span_make(s.p + 1, (size_t)close - 1), r) != 0)
		return -1;
	rest = span_skip(s, (size_t)close + 1);
	if (rest.len > 0) {
		if (rest.p[0] != ':' || parse_port(span_skip(rest, 1), &r->port) != 0)
			return -1;
		r->port_given = true;
	}
	r->address.port = r->port;
	return 0;
}

/* "host:port" and "[addr]:port", the forms of the configuration. */
static bool
is_smarthost(const struct route *r, const struct route_options *o)
{
	struct span s = span_str(o->smarthost), host = s;
	struct route smart;
	char text[DOMAIN_MAX + 16];
	ptrdiff_t colon;

	if (s.len == 0 || s.len > DOMAIN_MAX)
		return false;
	if (s.p[0] != '[') {
		colon = span_rindex(s, ':');
		if (colon >= 0)
			host = span_first(s, (size_t)colon);
		snprintf(text, sizeof text, "[%.*s]%.*s", SPAN_ARG(host),
		    SPAN_ARG(span_skip(s, host.len)));
		s = span_str(text);
	}
	return route_parse(s, o->port, &smart) == 0 && smart.port == r->port &&
	       smart.literal == r->literal && strcmp(smart.host, r->host) == 0;
}

/* --- the end of a search --- */

static void
finish(struct search *s)
{
	s->fn(&s->targets, s->arg);
	free(s);
}

static void
add_target(struct search *s, const struct host *h, unsigned rank, const struct netaddr *a)
{
	struct route_target *t;

	if (s->targets.n == sizeof s->targets.v / sizeof *s->targets.v)
		return;
	t = &s->targets.v[s->targets.n++];
	memcpy(t->host, h->name, sizeof t->host);
	t->rank = rank;
	t->address = *a;
	t->address.port = s->route.port;
}

/* Both families in turn, IPv6 first. */
static bool
add_host(struct search *s, const struct host *h, unsigned rank)
{
	size_t n = 0;

	for (size_t i = 0; i < ROUTE_ADDRESSES_MAX && n < ROUTE_ADDRESSES_MAX; i++) {
		if (i < h->nsix)
			add_target(s, h, rank, &h->six[i]), n++;
		if (i < h->nfour && n < ROUTE_ADDRESSES_MAX)
			add_target(s, h, rank, &h->four[i]), n++;
	}
	return n > 0;
}

static void
no_targets(struct search *s)
{
	struct verdict *v = &s->targets.verdict;
	bool temporary = false, skipped = false;

	for (size_t i = 0; i < s->nhosts; i++) {
		temporary = temporary || s->hosts[i].temporary;
		skipped = skipped || s->hosts[i].skipped;
	}
	if (temporary)
		dns_answer_verdict(DNS_TEMPORARY, s->route.host, "address", v);
	else if (skipped)
		verdict_set(v, VERDICT_PERMANENT, 554, "5.4.6",
		    "Mail for %s loops back to myself: it leads to this machine's loopback "
		    "address",
		    s->route.host);
	else if (
	    !s->route
		 .mx) /* the administrator's word, and perhaps a slip: no reason to bounce */
		verdict_set(v, VERDICT_TEMPORARY, 451, "4.4.4",
		    "Host %s has no address in the DNS; check smarthost and mailertable",
		    s->route.host);
	else
		verdict_set(v, VERDICT_PERMANENT, 550, "5.4.4",
		    "No mail host of %s has an address", s->route.host);
}

static void
conclude(struct search *s)
{
	unsigned rank = 0;

	for (size_t i = 0; i < s->nhosts && rank < ROUTE_HOSTS_MAX; i++)
		if (add_host(s, &s->hosts[i], rank))
			rank++;
	if (s->targets.n == 0)
		no_targets(s);
	finish(s);
}

/* --- addresses --- */

static bool
is_own(const struct search *s, const struct netaddr *a)
{
	for (size_t i = 0; i < s->options->nown; i++)
		if (netaddr_equal_ip(&s->options->own[i], a) &&
		    s->options->own[i].port == s->route.port)
			return true;
	return false;
}

static bool
may_use(const struct search *s, const struct netaddr *a)
{
	if (is_own(s, a))
		return false;
	return s->trusted || s->options->allow_loopback || !netaddr_is_loopback(a);
}

static void
take_addresses(struct host *h, const struct dns_answer *a, struct netaddr *list, size_t *n)
{
	h->temporary = h->temporary || a->result == DNS_TEMPORARY;
	for (size_t i = 0; i < a->n && *n < ROUTE_ADDRESSES_MAX; i++) {
		if (may_use(h->search, &a->address[i]))
			list[(*n)++] = a->address[i];
		else
			h->skipped = true;
	}
}

static void
answered(struct search *s)
{
	if (--s->pending == 0)
		conclude(s);
}

static void
on_six(const struct dns_answer *a, void *arg)
{
	struct host *h = arg;

	take_addresses(h, a, h->six, &h->nsix);
	answered(h->search);
}

static void
on_four(const struct dns_answer *a, void *arg)
{
	struct host *h = arg;

	take_addresses(h, a, h->four, &h->nfour);
	answered(h->search);
}

static void
ask_addresses(struct search *s)
{
	const struct dns_answer *a;

	s->pending = 1 + 2 * (unsigned)s->nhosts; /* one for the loop itself */
	for (size_t i = 0; i < s->nhosts; i++) {
		struct host *h = &s->hosts[i];

		h->search = s;
		if ((a = dns_query(s->dns, h->name, DNS_TYPE_AAAA, on_six, h)) != NULL)
			on_six(a, h);
		if ((a = dns_query(s->dns, h->name, DNS_TYPE_A, on_four, h)) != NULL)
			on_four(a, h);
	}
	answered(s);
}

/* --- MX --- */

static void
on_mx(const struct dns_answer *a, void *arg)
{
	struct search *s = arg;
	struct dns_answer *sorted;

	if (a->result == DNS_NO_DATA) { /* the implicit MX */
		memcpy(s->hosts[0].name, s->route.host, sizeof s->hosts[0].name);
		s->nhosts = 1;
		ask_addresses(s);
		return;
	}
	if (a->result != DNS_FOUND) {
		dns_answer_verdict(a->result, s->route.host, "MX", &s->targets.verdict);
		finish(s);
		return;
	}
	sorted = xcalloc(1, sizeof *sorted);
	memcpy(sorted, a, offsetof(struct dns_answer, mx) + a->n * sizeof a->mx[0]);
	dns_answer_sort_mx(sorted, random_bits);
	if (dns_answer_usable_mx(
		sorted, s->route.host, s->options->self, &s->targets.verdict)) {
		for (; s->nhosts < sorted->n && s->nhosts < HOSTS_ASKED_MAX; s->nhosts++)
			memcpy(s->hosts[s->nhosts].name, sorted->mx[s->nhosts].host,
			    sizeof s->hosts[0].name);
		free(sorted);
		ask_addresses(s);
		return;
	}
	free(sorted);
	finish(s);
}

static void
use_literal(struct search *s)
{
	struct host *h = &s->hosts[0];

	h->search = s;
	memcpy(h->name, s->route.host, sizeof h->name);
	s->nhosts = 1;
	if (may_use(s, &s->route.address))
		h->four[h->nfour++] = s->route.address;
	else
		h->skipped = true;
	conclude(s);
}

void
route_find(struct dns *dns, const struct route_options *options, const char *destination,
    route_found_fn *fn, void *arg)
{
	struct search *s = xcalloc(1, sizeof *s);
	const struct dns_answer *a;

	s->dns = dns;
	s->options = options;
	s->fn = fn;
	s->arg = arg;
	if (route_parse(span_str(destination), options->port, &s->route) != 0) {
		verdict_set(&s->targets.verdict, VERDICT_TEMPORARY, 451, "4.3.5",
		    "%s is no destination: check smarthost and mailertable", destination);
		log_warnx("destination=%s is malformed", destination);
		finish(s);
		return;
	}
	/* A literal in a recipient's address gets the usual port; any other was configured. */
	s->trusted = !s->route.mx &&
		     (s->route.port != options->port || is_smarthost(&s->route, options));
	if (s->route.literal) {
		use_literal(s);
	} else if (s->route.mx) {
		a = dns_query(dns, s->route.host, DNS_TYPE_MX, on_mx, s);
		if (a != NULL)
			on_mx(a, s);
	} else {
		memcpy(s->hosts[0].name, s->route.host, sizeof s->hosts[0].name);
		s->nhosts = 1;
		ask_addresses(s);
	}
}
