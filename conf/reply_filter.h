/*
 * reply_filter: which replies of a DNS list count (RFC 5782 2.1: each list gives
 * its addresses below 127.0.0.0/8 meanings of its own). Pure.
 *
 *	filter = octet "." octet "." octet "." octet
 *	octet  = number [".." number]		127.0.0.2..11, 127.0.2..4.1
 */
#ifndef CONF_REPLY_FILTER_H
#define CONF_REPLY_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

struct reply_filter {
	unsigned char low[4], high[4]; /* both included */
};

/* -1 if it is none: four octets, low before high, the first 127. */
int reply_filter_parse(struct span s, struct reply_filter *f);

/* reply is an IPv4 address in host order. */
bool reply_filter_matches(const struct reply_filter *f, uint32_t reply);

/* The text that parses to the same. Returns out. */
#define REPLY_FILTER_TEXT_SIZE 40
const char *reply_filter_format(const struct reply_filter *f, char out[REPLY_FILTER_TEXT_SIZE]);

/*
 * Does it count where no filter is given? Not what lists say instead of an answer to those whom they do not
 * serve: 127.255.255.x, 127.0.0.1 (asked too often, or through a public resolver), or anything beside 127.0.0.0/8.
 */
bool reply_filter_counts(uint32_t reply);

#endif
