/*
 * fold: local parts as names of mailboxes and aliases: without regard to the
 * case of letters (RFC 5321 2.4 lets the receiving host decide), of those beyond ASCII, too
 * (common/case_fold): who is bob@ and BOB@ is not to be two with an ü. Pure.
 */
#ifndef CONF_FOLD_H
#define CONF_FOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"
#include "common/span.h"

/* The name a look-up uses for an unquoted local part: in lower case. At most LOCAL_PART_MAX octets; returns the length. */
size_t fold_name(struct span local, char out[LOCAL_PART_MAX + 1]);

/* The same for the local part of a canonical address, quotes removed. */
size_t fold_address(const struct address *a, char out[LOCAL_PART_MAX + 1]);

/*
 * An address, or a pattern for some, in the same way, its letters beyond ASCII: two that differ in their case alone become one.
 * *len is without the NUL behind. -1 if there are none, it is not UTF-8, or longer than size - 1 or FOLD_TEXT_MAX octets.
 */
#define FOLD_TEXT_MAX 1000
int fold_text(struct span s, char *out, size_t size, size_t *len)
    __attribute__((warn_unused_result));

/* Can this be a name of a mailbox: a dot-atom of RFC 5321 4.1.2 and 6531 3.3, at most LOCAL_PART_MAX octets? */
bool fold_is_name(struct span local);

/*
 * A path in a domain's files to one relative to the domain's directory: an absolute one loses the
 * directory's own path, or else its first slash; "." and empty names go. -1 if nothing remains, a name
 * is "..", there are control octets, or it does not fit.
 */
#define FOLD_PATH_MAX 512
int fold_path(struct span path, struct span directory, char out[FOLD_PATH_MAX + 1]);

#endif
