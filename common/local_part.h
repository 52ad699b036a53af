/*
 * local_part: what stands before the @ of an address (RFC 5321 4.1.2 Local-part, RFC 6531 3.3): a
 * dot-string or a quoted string, found and brought to its one canonical form, with quotes only where
 * they are needed. Pure; called by common/address and conf/access_forms.
 */
#ifndef COMMON_LOCAL_PART_H
#define COMMON_LOCAL_PART_H

#include <stdbool.h>
#include <stddef.h>

#include "common/limits.h"
#include "common/span.h"

/*
 * Length of the local part at the front of s, a quoted string with its quotes: at most LOCAL_PART_MAX. utf8: it may hold
 * UTF-8. -1 if there is none; why (may be NULL) gets a static text that says what is wrong.
 */
ptrdiff_t local_part_scan(struct span s, bool utf8, const char **why);

/*
 * The canonical form of what local_part_scan has found, without a NUL behind: quotes only where needed, UTF-8 in normalization form
 * C, case kept. -1 if it cannot be brought to that form.
 */
int local_part_canonical(
    struct span local, char out[LOCAL_PART_MAX], size_t *len, const char **why);

/* The plain text of what local_part_scan has found: no quotes, no quoted-pairs, no NUL behind. Returns its length. */
size_t local_part_unquote(struct span local, char out[LOCAL_PART_MAX]);

/*
 * The other way round: the canonical form, as above, of the local part whose plain text this is. It is quoted where a
 * dot-string cannot say it (RFC 5322 3.2.4), the empty one, too. -1 if no local part says it: control octets, malformed
 * UTF-8, or more than LOCAL_PART_MAX octets with the quotes; why (may be NULL) as for local_part_scan.
 */
int local_part_format(
    struct span plain, char out[LOCAL_PART_MAX], size_t *len, const char **why);

#endif
