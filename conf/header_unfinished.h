/*
 * header_unfinished: what becomes of a message for which a header check could not be finished, since
 * its pattern, all of them, or what they look at reached a limit: header-checks-unfinished of postrider.conf(5).
 */
#ifndef CONF_HEADER_UNFINISHED_H
#define CONF_HEADER_UNFINISHED_H

#include "common/span.h"

enum header_unfinished {
	HEADER_UNFINISHED_ACCEPT, /* as if the rule had not matched */
	HEADER_UNFINISHED_HOLD,
	HEADER_UNFINISHED_REFUSE,
};

/* "accept", "hold", "refuse"; static. */
const char *header_unfinished_name(enum header_unfinished u);

/* 0, or -1: s is none of them. */
int header_unfinished_parse(struct span s, enum header_unfinished *u)
    __attribute__((warn_unused_result));

#endif
