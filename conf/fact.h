/*
 * fact: what the DNS says about a client, its greeting or a sender's domain, as
 * it travels between processes (doc/IPC.md): policy says what it wants to know,
 * `remote` finds it out, smtpd (or `postrider explain`) carries it back with the
 * next question. Pure; one line of text each:
 *
 *	want = kind SP name		fact = kind SP result SP name *(SP reply)
 *
 *	ptr -		the client's name: confirmed and unconfirmed come with it
 *	list ZONE	is the client's address in this DNSBL or DNSWL (RFC 5782)?
 *	host NAME	has this name an address, and is it the client's?
 *	exists DOMAIN	could mail be sent to this domain (RFC 5321 5.1)?
 */
#ifndef CONF_FACT_H
#define CONF_FACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/limits.h"
#include "common/span.h"
#include "common/wire.h"

enum fact_kind {
	FACT_PTR,
	FACT_LIST,
	FACT_HOST,
	FACT_DOMAIN,
};

enum fact_result {
	FACT_UNKNOWN,	/* not found out in time, or nobody could be asked */
	FACT_TEMPORARY, /* the DNS itself cannot tell now */
	FACT_NONE, /* no name; not listed; no address; no such domain or nothing to send mail to */
	FACT_CONFIRMED,	  /* ptr: a name that has the client's address */
	FACT_UNCONFIRMED, /* ptr: names, and none of them has the client's address */
	FACT_LISTED,	  /* list: with the replies */
	FACT_CLIENT,	  /* host: it has the client's address */
	FACT_ELSEWHERE,	  /* host: it has other addresses */
	FACT_EXISTS,	  /* exists: it has an MX or an address */
	FACT_NULL_MX,	  /* exists: and takes no mail (RFC 7505) */
};

/* Zones that may be asked about one client; replies of one zone that are kept; facts about one session. */
#define FACT_ZONES_MAX	 32
#define FACT_REPLIES_MAX 16
#define FACTS_MAX	 (FACT_ZONES_MAX + 3)

/* Octets of the longest line, and of what fact_tell says. */
#define FACT_TEXT_MAX (DOMAIN_MAX + 64 + FACT_REPLIES_MAX * 16)

struct fact {
	enum fact_kind kind;
	enum fact_result result;
	char name[DOMAIN_MAX + 1];	    /* lower case; "-": none */
	uint32_t replies[FACT_REPLIES_MAX]; /* IPv4 addresses, host order */
	unsigned nreplies;
};

/* "ptr", "list", … */
const char *fact_kind_name(enum fact_kind kind);

/* A line each, without its end. -1 if it is none, or longer than DOMAIN_MAX and FACT_REPLIES_MAX allow. */
int fact_parse(struct span line, struct fact *f);
int fact_want_parse(struct span line, enum fact_kind *kind, struct span *name);

/* Appends the line. out has room for FACT_TEXT_MAX octets. */
void fact_format(const struct fact *f, struct buf *out);

/* Appends it in words for people, up to FACT_TEXT_MAX octets. */
void fact_tell(const struct fact *f, struct buf *out);

/* What is known: of list one for each zone, of the other kinds one. */
struct facts {
	struct fact *v;
	size_t n;
};

/* Adds a copy, in the place of what was known of the same. Beyond FACTS_MAX nothing is added. */
void facts_set(struct facts *known, const struct fact *f);

/* Adds a fact of this result without replies; a name that is too long adds nothing. */
void facts_set_result(
    struct facts *known, enum fact_kind kind, struct span name, enum fact_result result);

/* The fact of this kind and name, or NULL. known may be NULL. Of FACT_PTR the name is not compared. */
const struct fact *facts_find(const struct facts *known, enum fact_kind kind, struct span name);

/* Forgets those of a kind. */
void facts_drop(struct facts *known, enum fact_kind kind);

/* A field `fact` for one, and for each of those that are known. */
void fact_to_wire(const struct fact *f, struct wire_out *w);
void facts_to_wire(const struct facts *known, struct wire_out *w);

/* Adds what the fields `fact` of m say. -1 if one of them is malformed, which adds nothing; the others do. */
int facts_from_wire(struct facts *known, const struct wire_msg *m);

/* The same for the fields `want`: as unknown. */
int facts_from_wants(struct facts *known, const struct wire_msg *m);

void facts_release(struct facts *known);

#endif
