/*
 * header_unfinished: the values of header-checks-unfinished. See header_unfinished.h. Called for the
 * configuration, and for the answer to `header-rules` (doc/IPC.md).
 */
#include "conf/header_unfinished.h"

static const char *const names[] = {[HEADER_UNFINISHED_ACCEPT] = "accept",
    [HEADER_UNFINISHED_HOLD] = "hold",
    [HEADER_UNFINISHED_REFUSE] = "refuse"};

const char *
header_unfinished_name(enum header_unfinished u)
{
	return names[u];
}

int
header_unfinished_parse(struct span s, enum header_unfinished *u)
{
	int i = span_among(s, names, sizeof names / sizeof *names);

	if (i < 0)
		return -1;
	*u = (enum header_unfinished)i;
	return 0;
}
