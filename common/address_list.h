/*
 * address_list: address lists as they stand in header fields and on the
 * command line (RFC 5322 3.4 with the obsolete forms of 4.4, and what senders do
 * besides): groups, comments, quoted strings, routes, missing and doubled commas. Finds
 * where each mailbox is; whether it is a valid one is for common/address.h to say.
 *
 * Pure. No recursion: comments nest by a counter.
 */
#ifndef COMMON_ADDRESS_LIST_H
#define COMMON_ADDRESS_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/span.h"

/* Octets of one address with all that RFC 5322 lets stand around its parts; longer is malformed. */
#define ADDRESS_LIST_TEXT_MAX 1024

struct address_list {
	struct span text; /* borrowed */
	size_t at;
};

struct address_list_item {
	char text[ADDRESS_LIST_TEXT_MAX +
		  1]; /* the address without comments and white space around its parts */
	size_t len;
	bool qualified; /* an at sign stands outside quotes */
	size_t
	    qualify_at; /* offset in the list's text behind the last part: where "@host" would go */
	size_t begin, end; /* what of the list's text it was taken from, for messages */
};

enum address_list_result {
	ADDRESS_LIST_END,
	ADDRESS_LIST_ITEM,
	ADDRESS_LIST_BAD, /* begin and end say what could not be understood; the next call goes on behind it */
};

void address_list_init(struct address_list *l, struct span text);

/* The next address. Empty elements and empty groups are passed over. */
enum address_list_result address_list_next(
    struct address_list *l, struct address_list_item *item);

#endif
