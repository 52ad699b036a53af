/*
 * account: who a user name of a login means: a mailbox of a hosted domain. Used
 * by conf/authenticator, and by policy to tell whose an address is.
 */
#ifndef CONF_ACCOUNT_H
#define CONF_ACCOUNT_H

#include <stdbool.h>

#include "common/address.h"
#include "conf/lookup.h"
#include "conf/password_hash.h"
#include "conf/resolve.h"
#include "conf/scram.h"

/* How the user wants to show who he is. */
enum account_use {
	ACCOUNT_PASSWORD,
	ACCOUNT_SCRAM,
};

/* A user name as it was given. */
struct account_search {
	struct span user;
	struct span server; /* the host name the client wanted to talk to (SNI), or empty */
	enum account_use use;
	const unsigned char *secret; /* SCRAM_SECRET_SIZE octets, of account_find's choice */
};

struct account {
	/*
	 * Canonical, in the domain's own name if it has aliases, whether there is such a user or not; empty
	 * if there is no such domain.
	 */
	struct address name;
	/* The user's own. Where there is none that could be used: one that costs as much as any of the domain's. */
	char stored[PASSWORD_STORED_MAX];
	size_t stored_len;
	/* What SCRAM users of the domain have, for those who cannot use it and must not be told from them. */
	uint32_t iterations;
	size_t salt_len;
};

/*
 * The account of "user@domain", or of a bare "user" in the domain that account_home says. FOUND: *a is filled, and
 * stored is of a form that can be used so. NOT_FOUND: there is no such user, or nobody can log in as him so, or this is no
 * user name: *a is filled all the same, for the work and the answer to be alike. UNKNOWN: could not tell; *why.
 */
enum lookup account_find(const struct resolve_env *env, const struct account_search *search,
    struct account *a, struct buf *why);

/*
 * The domain of users who give none: the hosted one that is the name server (canonical, or empty) or the nearest
 * above it; else the configuration's auth-domain. "" if there is none.
 */
void account_home(const struct resolve_env *env, struct span server, char out[DOMAIN_MAX + 1]);

/* Can every user of the domain who can log in do so by SCRAM-SHA-256, and is there one? */
bool account_all_scram(const struct resolve_env *env, const char *domain);

/*
 * Does mail to the address reach the account: is it its own address, a subaddress, or an alias that
 * leads there? UNKNOWN: could not tell. What was looked at for it is added to *steps (conf/resolve.h).
 */
enum lookup account_owns(const struct resolve_env *env, struct span account,
    const struct address *address, unsigned *steps);

#endif
