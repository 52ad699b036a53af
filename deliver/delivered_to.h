/*
 * delivered_to: loop detection. A message whose header already says that it was
 * delivered to an address has come back to it by some forward, and must not go
 * round again. Pure.
 */
#ifndef DELIVER_DELIVERED_TO_H
#define DELIVER_DELIVERED_TO_H

#include <stdbool.h>

#include "common/span.h"

/* No more of a message than this is searched. */
#define DELIVERED_TO_SCAN_MAX (256U << 10)

/*
 * Is there a field "Delivered-To: address" in the header that content (LF line
 * ends) begins with? ASCII case aside; folded lines belong to no such field.
 */
bool delivered_to_find(struct span content, struct span address);

#endif
