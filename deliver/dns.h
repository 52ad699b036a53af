/*
 * dns: questions to name servers (c-ares on the libevent loop) with a bounded
 * cache. It moves octets; what they mean is in dns_answer.h. Used by route.c and fact_search.c.
 *
 * The system's resolver configuration is read once, when it is made: afterwards
 * no file is needed, so it works in an empty root directory.
 */
#ifndef DELIVER_DNS_H
#define DELIVER_DNS_H

#include <event2/event.h>

#include "deliver/dns_answer.h"

/* Questions remembered with their answers. */
#define DNS_CACHE_MAX 4096

struct dns;

/* Valid until it returns. */
typedef void dns_answer_fn(const struct dns_answer *a, void *arg);

/* NULL (said in the log) if c-ares cannot start. */
struct dns *dns_new(struct event_base *base);

/* Questions under way are forgotten. */
void dns_free(struct dns **d);

/* Asks these servers from now on ("addr:port,[addr]:port"), or the system's (NULL). -1: malformed, nothing changed. */
int dns_set_servers(struct dns *d, const char *csv);

/*
 * The answer if it is known, valid until the loop goes on; else NULL, and fn is called once
 * with it from the loop. name is in canonical form.
 */
const struct dns_answer *dns_query(
    struct dns *d, const char *name, uint16_t type, dns_answer_fn *fn, void *arg);

#endif
