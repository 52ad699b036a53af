/*
 * dns_answer: what a name server said (RFC 1035), and what it means for mail
 * (RFC 5321 5.1, RFC 7505). Pure: octets in, structs out; c-ares moves the octets
 * (deliver/dns.c). Everything in an answer is a stranger's word: names are checked,
 * counts and lengths bounded, records of other names left aside.
 */
#ifndef DELIVER_DNS_ANSWER_H
#define DELIVER_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/netaddr.h"
#include "common/verdict.h"

#define DNS_TYPE_A    1
#define DNS_TYPE_PTR  12
#define DNS_TYPE_MX   15
#define DNS_TYPE_AAAA 28

/* Records of one answer that are used; the rest is left aside. */
#define DNS_RECORDS_MAX 64

/* A cached answer lives at least and at most so long, in seconds. */
#define DNS_TTL_MIN 30
#define DNS_TTL_MAX 3600

enum dns_result {
	DNS_FOUND,     /* n may be 0 for MX and PTR: there are some, none of them usable */
	DNS_NO_DATA,   /* the name exists, without records of this type */
	DNS_NO_NAME,   /* NXDOMAIN, and the zone's SOA says so */
	DNS_TEMPORARY, /* SERVFAIL, a malformed answer, no answer: could not tell */
};

struct dns_mx {
	uint16_t preference;
	char host[DOMAIN_MAX + 1]; /* lower case, LDH; "" for the null MX's root */
};

struct dns_answer {
	enum dns_result result;
	uint32_t ttl; /* seconds, within the bounds above */
	size_t n;
	union {
		struct dns_mx mx[DNS_RECORDS_MAX];	 /* of PTR, too: the name is host */
		struct netaddr address[DNS_RECORDS_MAX]; /* port 0 */
	};
};

/*
 * Reads the reply of n octets at p to the question (name, type). name is in
 * canonical form. CNAMEs within the answer are followed, at most 8.
 */
void dns_answer_parse(
    const unsigned char *p, size_t n, const char *name, uint16_t type, struct dns_answer *a);

/*
 * Sorts by preference, equals in random order (RFC 5321 5.1). random returns 32 random bits.
 */
void dns_answer_sort_mx(struct dns_answer *a, uint32_t (*random)(void));

/*
 * Reduces a found MX answer to the hosts mail may be sent to, in order, and says why if none is left:
 * the null MX (permanent 556 5.1.10), hosts that cannot be names of mail hosts (localhost), and from
 * our own name on (RFC 5321 5.1: what is not nearer than we are; 5.4.6). True if hosts are left.
 */
bool dns_answer_usable_mx(
    struct dns_answer *a, const char *domain, const char *self, struct verdict *v);

/* Is the name one of host name labels: letters, digits, hyphens and underscores within, 253 octets at most? */
bool dns_name_is_host(struct span s);

/* The verdict for a domain whose look-up ended so, without any route. what: "MX" or "address". */
void dns_answer_verdict(
    enum dns_result result, const char *domain, const char *what, struct verdict *v);

#endif
