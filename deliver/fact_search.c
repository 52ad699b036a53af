/* fact_search: one fact out of the DNS. See fact_search.h. */
#include "deliver/fact_search.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xalloc.h"

static void on_answer(const struct dns_answer *a, void *arg);

int
fact_search_reverse(const struct netaddr *a, const char *suffix, char out[DOMAIN_MAX + 1])
{
	struct buf b;
	int r = 0;

	buf_init(&b, 253);
	if (a->family == AF_INET) {
		for (unsigned i = 4; i-- > 0;)
			r |= buf_addf(&b, "%u.", a->ip[i]);
	} else {
		for (unsigned i = 16; i-- > 0;)
			r |= buf_addf(&b, "%x.%x.", a->ip[i] & 0xf, a->ip[i] >> 4);
	}
	r |= buf_add_str(&b, suffix);
	if (r == 0)
		memcpy(out, buf_str(&b), b.len + 1);
	buf_release(&b);
	return r;
}

static void
finish(struct fact_search *s, enum fact_result result)
{
	s->fact.result = result;
	s->fn(s, s->arg);
}

static void
ask(struct fact_search *s, const char *name, uint16_t type)
{
	const struct dns_answer *a;

	s->type = type;
	a = dns_query(s->dns, name, type, on_answer, s);
	if (a != NULL)
		on_answer(a, s);
}

static uint16_t
type_of(const struct netaddr *a)
{
	return a->family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA;
}

static bool
has_client(const struct fact_search *s, const struct dns_answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (netaddr_equal_ip(&a->address[i], &s->client))
			return true;
	return false;
}

/* --- ptr: the names, then the addresses of one after another --- */

static void
set_name(struct fact_search *s, const char *name)
{
	memcpy(s->fact.name, name, strlen(name) + 1);
}

static void
take_names(struct fact_search *s, const struct dns_answer *a)
{
	if (a->result == DNS_TEMPORARY || a->n == 0) {
		finish(s, a->result == DNS_TEMPORARY ? FACT_TEMPORARY : FACT_NONE);
		return;
	}
	s->nnames = a->n < FACT_SEARCH_NAMES_MAX ? a->n : FACT_SEARCH_NAMES_MAX;
	s->names = xcalloc(s->nnames, sizeof *s->names);
	for (size_t i = 0; i < s->nnames; i++)
		memcpy(s->names[i], a->mx[i].host, sizeof s->names[i]);
	ask(s, s->names[0], type_of(&s->client));
}

static void
confirm_name(struct fact_search *s, const struct dns_answer *a)
{
	s->temporary = s->temporary || a->result == DNS_TEMPORARY;
	if (a->result == DNS_FOUND && has_client(s, a)) {
		set_name(s, s->names[s->at]);
		finish(s, FACT_CONFIRMED);
	} else if (++s->at < s->nnames) {
		ask(s, s->names[s->at], type_of(&s->client));
	} else if (s->temporary) {
		finish(s, FACT_TEMPORARY);
	} else {
		set_name(s, s->names[0]);
		finish(s, FACT_UNCONFIRMED);
	}
}

/* --- list --- */

static void
take_replies(struct fact_search *s, const struct dns_answer *a)
{
	for (size_t i = 0; i < a->n && s->fact.nreplies < FACT_REPLIES_MAX; i++) {
		const unsigned char *ip = a->address[i].ip;

		s->fact.replies[s->fact.nreplies++] = (uint32_t)ip[0] << 24 |
						      (uint32_t)ip[1] << 16 |
						      (uint32_t)ip[2] << 8 | ip[3];
	}
	if (s->fact.nreplies > 0)
		finish(s, FACT_LISTED);
	else
		finish(s, a->result == DNS_TEMPORARY ? FACT_TEMPORARY : FACT_NONE);
}

/* --- host: its addresses of the client's kind, then those of the other --- */

static void
compare_host(struct fact_search *s, const struct dns_answer *a)
{
	if (a->result == DNS_FOUND)
		finish(s, has_client(s, a) ? FACT_CLIENT : FACT_ELSEWHERE);
	else if (a->result == DNS_TEMPORARY)
		finish(s, FACT_TEMPORARY);
	else if (a->result == DNS_NO_DATA && s->type == type_of(&s->client))
		ask(s, s->fact.name, s->type == DNS_TYPE_A ? DNS_TYPE_AAAA : DNS_TYPE_A);
	else
		finish(s, FACT_NONE);
}

/* --- exists: MX, then A, then AAAA (RFC 5321 5.1) --- */

static void
take_mx(struct fact_search *s, const struct dns_answer *a)
{
	bool usable = false;

	for (size_t i = 0; i < a->n; i++)
		usable = usable || a->mx[i].host[0] != '\0';
	if (usable)
		finish(s, FACT_EXISTS);
	else /* RFC 7505 3; or MX records none of which is a name */
		finish(s, a->n == 1 ? FACT_NULL_MX : FACT_NONE);
}

static void
take_domain(struct fact_search *s, const struct dns_answer *a)
{
	if (a->result == DNS_TEMPORARY)
		finish(s, FACT_TEMPORARY);
	else if (a->result == DNS_FOUND && s->type == DNS_TYPE_MX)
		take_mx(s, a);
	else if (a->result == DNS_FOUND)
		finish(s, FACT_EXISTS);
	else if (a->result == DNS_NO_DATA && s->type != DNS_TYPE_AAAA)
		ask(s, s->fact.name, s->type == DNS_TYPE_MX ? DNS_TYPE_A : DNS_TYPE_AAAA);
	else
		finish(s, FACT_NONE);
}

static void
on_answer(const struct dns_answer *a, void *arg)
{
	struct fact_search *s = arg;

	switch (s->fact.kind) {
	case FACT_PTR:
		if (s->type == DNS_TYPE_PTR)
			take_names(s, a);
		else
			confirm_name(s, a);
		break;
	case FACT_LIST:
		take_replies(s, a);
		break;
	case FACT_HOST:
		compare_host(s, a);
		break;
	case FACT_DOMAIN:
		take_domain(s, a);
		break;
	}
}

void
fact_search_start(struct fact_search *s, struct dns *dns, const struct netaddr *client,
    fact_search_fn *fn, void *arg)
{
	char name[DOMAIN_MAX + 1];

	s->dns = dns;
	s->client = *client;
	s->fn = fn;
	s->arg = arg;
	switch (s->fact.kind) {
	case FACT_PTR:
		if (fact_search_reverse(client,
			client->family == AF_INET ? "in-addr.arpa" : "ip6.arpa", name) != 0)
			abort(); /* 73 octets at most */
		ask(s, name, DNS_TYPE_PTR);
		break;
	case FACT_LIST:
		if (fact_search_reverse(client, s->fact.name, name) == 0)
			ask(s, name, DNS_TYPE_A);
		else
			finish(s, FACT_NONE);
		break;
	case FACT_HOST:
		ask(s, s->fact.name, type_of(client));
		break;
	case FACT_DOMAIN:
		ask(s, s->fact.name, DNS_TYPE_MX);
		break;
	}
}

void
fact_search_release(struct fact_search *s)
{
	free(s->names);
	s->names = NULL;
}
