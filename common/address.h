/*
 * address: RFC 5321 paths and mailboxes (4.1.2, 4.1.3), with RFC 6531 for UTF-8.
 * One parser, one canonical form: what was authorised is the pair that is stored
 * and the pair that is routed. Pure; success is the last statement.
 */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <stdbool.h>

#include "common/limits.h"
#include "common/span.h"

enum address_flags {
	ADDRESS_UTF8 = 1, /* SMTPUTF8 was given: UTF-8 local parts and U-labels are allowed */
	ADDRESS_ALLOW_EMPTY = 2, /* <> is allowed (reverse-path) */
	ADDRESS_POSTMASTER = 4,	 /* <postmaster> without a domain is allowed (RCPT) */
};

/*
 * Canonical: quotes only where needed, case of the local part kept, UTF-8 in it in normalization form C, the domain in
 * lower case with A-labels (IDNA2008, no mapping), literals as written in lower case.
 */
struct address {
	char text[ADDRESS_MAX +
		  1]; /* local@domain; "" for the null reverse-path; "postmaster" alone */
	size_t len;
	size_t local_len; /* of the local part in its canonical, perhaps quoted, form */
	bool utf8;	  /* the local part holds UTF-8, or the domain was given as U-labels */
	bool literal;	  /* the domain is an address literal */
};

/* The local part as it stands in text, and the domain ("" if there is none). */
struct span address_local(const struct address *a);
struct span address_domain(const struct address *a);
struct span address_span(const struct address *a);

/* The local part without quotes and quoted-pairs, for look-ups: at most LOCAL_PART_MAX octets. Returns its length. */
size_t address_local_unquoted(const struct address *a, char out[LOCAL_PART_MAX + 1]);

/*
 * Parses what stands between < and >, or a bare mailbox. A source route in front
 * (`@a,@b:`) is checked and dropped. 0 or -1; why (may be NULL) gets a static text that says what is wrong.
 */
int address_parse(struct span s, unsigned flags, struct address *a, const char **why);

/*
 * Parses `<path>` at the beginning of *rest and moves *rest behind the closing bracket.
 * -1 as above.
 */
int address_parse_path(struct span *rest, unsigned flags, struct address *a, const char **why);

/* A host name or literal as HELO and EHLO take it (RFC 5321 4.1.1.1; underscore tolerated). */
bool address_helo_valid(struct span s);

/*
 * A domain to its canonical form: lower case, U-labels to A-labels (IDNA2008 without
 * mapping), each label LDH and at most 63 octets, 253 in all. utf8 says whether U-labels are allowed.
 * -1 and *why if it is not a domain. out is NUL-terminated.
 */
int domain_canonical(
    struct span s, bool utf8, char out[DOMAIN_MAX + 1], size_t *len, const char **why);

#endif
