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

struct account {
	struct address name; /* canonical, in the domain's own name if it has aliases */
	char stored[PASSWORD_STORED_MAX];
	size_t stored_len;
};

/*
 * The account of "user@domain", or of a bare "user" in the configuration's auth-domain. FOUND: *a is
 * filled. NOT_FOUND: there is none, or this is no user name. UNKNOWN: could not tell; *why.
 */
enum lookup account_find(
    const struct resolve_env *env, struct span user, struct account *a, struct buf *why);

/*
 * Does mail to the address reach the account: is it its own address, a subaddress, or an alias that
 * leads there? UNKNOWN: could not tell.
 */
enum lookup account_owns(
    const struct resolve_env *env, struct span account, const struct address *address);

#endif
