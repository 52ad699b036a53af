/*
 * domain_conf: a domain's etc/domain.conf, the choices that hold for the whole
 * domain. Same form as postrider.conf (confile.h). Pure.
 */
#ifndef CONF_DOMAIN_CONF_H
#define CONF_DOMAIN_CONF_H

#include <stdbool.h>

#include "common/span.h"
#include "conf/config_errors.h"
#include "conf/confile.h"
#include "conf/units.h"

/* The most a quota may be: passwd keeps it in KiB. */
#define DOMAIN_QUOTA_MAX (UINT64_C(4095) << 30)

/* Out of these are separators: they may stand in a local part and in no way be taken for something else. */
#define DOMAIN_SEPARATORS "+-=_#%&~^!*$"

struct domain_conf {
	char *catch_all;     /* a local part, or an address, canonical; NULL: none */
	bool catch_all_here; /* it is a local part of this domain */
	unsigned catch_all_line;
	char *separators; /* each of these octets separates a subaddress; "": none does */
	char *maildir;	  /* relative to the home */
	struct units_rate message_rate, recipient_rate; /* of what its users send */
	uint64_t quota; /* octets of a mailbox whose user has none of his own; 0: none */
	bool over_quota_refuses;     /* for good; else mail for a full mailbox waits */
	uint64_t message_size_limit; /* 0: none of its own */
};

/* The names of all keys, *n of them; they stay. */
const struct confile_key *domain_conf_keys(size_t *n);

/* The defaults: no catch-all, "+", "Maildir", no limits. */
void domain_conf_init(struct domain_conf *c);

/*
 * Parses text, which is the file named path (for complaints). -1 if anything is wrong: all of it is
 * reported, and c holds what a caller should not use. Release in both cases.
 */
int domain_conf_parse(
    struct domain_conf *c, struct span text, const char *path, struct config_errors *errors);
void domain_conf_release(struct domain_conf *c);

#endif
