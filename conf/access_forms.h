/*
 * access_forms: the local parts that lines of the access table about an address may have, as sendmail looks for them: of
 * user+detail first the whole, then user+* (any detail), then user. So a line about a mailbox is not passed by a detail
 * that leads there, too. Pure; used by conf/access_table.
 */
#ifndef CONF_ACCESS_FORMS_H
#define CONF_ACCESS_FORMS_H

#include "common/address.h"

#define ACCESS_FORMS_MAX 3

/* The longest first. */
struct access_forms {
	size_t n;
	struct access_form {
		size_t len;
		char
		    text[LOCAL_PART_MAX + 1]; /* canonical and folded (conf/fold), NUL behind */
	} v[ACCESS_FORMS_MAX];
};

/*
 * Of a canonical address that is not empty. separators: the octets each of which may stand before a detail; with none
 * ("") there is one form. At least one form comes of it.
 */
void access_forms_of(
    const struct address *a, const char *separators, struct access_forms *forms);

#endif
