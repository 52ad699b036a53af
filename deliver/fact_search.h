/*
 * fact_search: finds one fact (conf/fact.h) out of the DNS, in as many questions as
 * it takes. Called by fact_service. What strangers put into the DNS is read by
 * dns_answer alone: names are host names here, counts bounded.
 */
#ifndef DELIVER_FACT_SEARCH_H
#define DELIVER_FACT_SEARCH_H

#include "common/netaddr.h"
#include "conf/fact.h"
#include "deliver/dns.h"

/* Names of one client that are tried for its address (RFC 5321 knows one; some have hundreds). */
#define FACT_SEARCH_NAMES_MAX 5

struct fact_search;

/* Found out: fact->result is anything but unknown. The search is at its end. */
typedef void fact_search_fn(struct fact_search *s, void *arg);

struct fact_search {
	struct fact fact; /* of the kind and name that were asked for */
	struct dns *dns;
	struct netaddr client;
	fact_search_fn *fn;
	void *arg;
	char (*names)[DOMAIN_MAX + 1]; /* ptr: those that are tried */
	size_t nnames, at;
	uint16_t type;	/* what was asked for last */
	bool temporary; /* one of its questions was not answered */
};

/*
 * Begins the search for the kind and name that s->fact has; s belongs to the caller and lives until fn was
 * called, which may be before this returns. client is whom it is about. name is in canonical form.
 */
void fact_search_start(struct fact_search *s, struct dns *dns, const struct netaddr *client,
    fact_search_fn *fn, void *arg);

/* Frees what it holds, not s. If it is under way nobody may come back to it: its dns is gone. */
void fact_search_release(struct fact_search *s);

/*
 * The address reversed, as DNS lists and reverse zones are asked (RFC 5782 2.1, 2.4), a dot and suffix: out has room
 * for DOMAIN_MAX + 1. -1 if it would be no domain name.
 */
int fact_search_reverse(const struct netaddr *a, const char *suffix, char out[DOMAIN_MAX + 1]);

#endif
