/*
 * passwd_quota: a user's quota among Dovecot's extra fields behind the seventh
 * colon of a passwd line, separated by blanks:
 *
 *	userdb_quota_rule=*:storage=1G
 *
 * A size of conf/units.h; but that without a letter storage= is in KiB, as Dovecot has it, and bytes= in octets. 0 is
 * unlimited. A blank within a size ends the field, for Dovecot as well, and is taken for a mistake. Pure. Used by conf/passwd and `postrider user quota`.
 */
#ifndef CONF_PASSWD_QUOTA_H
#define CONF_PASSWD_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"

enum passwd_quota {
	PASSWD_QUOTA_NONE,  /* nothing is said */
	PASSWD_QUOTA_FOUND, /* *octets */
	PASSWD_QUOTA_WRONG, /* something is said that is not understood */
};

/*
 * extra: all behind the seventh colon; p NULL: there is none. Of several rules the last counts: *rule is what it says,
 * "*:storage=1G", empty if there is none.
 */
enum passwd_quota passwd_quota_find(struct span extra, uint64_t *octets, struct span *rule)
    __attribute__((warn_unused_result));

/* Is there one in the line where it is none: in another field, or not behind a blank? extra is the line's end, as above. */
bool passwd_quota_strays(struct span line, struct span extra);

/* Appends extra with the rule for so many octets (a multiple of 1024) in place of any other; remove: with none. */
void passwd_quota_replace(struct span extra, uint64_t octets, bool remove, struct buf *out);

#endif
