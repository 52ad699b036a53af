/* delivered_to: a header scan for mail that comes round again. See delivered_to.h. */
#include "deliver/delivered_to.h"

#define FIELD "Delivered-To:"

bool
delivered_to_find(struct span content, struct span address)
{
	struct span rest = span_first(content, DELIVERED_TO_SCAN_MAX);

	while (rest.p != NULL) {
		struct span line = span_cut(&rest, '\n');

		if (line.len == 0)
			break; /* the empty line ends the header */
		if ((line.p[0] != 'D' && line.p[0] != 'd') ||
		    !span_starts_with_nocase(line, FIELD))
			continue;
		if (span_eq_nocase(span_trim(span_skip(line, sizeof FIELD - 1)), address))
			return true;
	}
	return false;
}
