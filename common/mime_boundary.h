/*
 * mime_boundary: which boundaries may part the body behind a Content-Type (RFC 2046 5.1.1). Those who read mail differ
 * where a field names several, in several forms, or in a form that is none; so all that one of them may find count:
 * looking into what is no part costs little, and a part that nobody looks into may hold anything. Pure.
 */
#ifndef COMMON_MIME_BOUNDARY_H
#define COMMON_MIME_BOUNDARY_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/span.h"

/* RFC 2046 5.1.1 says 70; a multipart with a longer one is not looked into. */
#define MIME_BOUNDARY_MAX 250
/* Of one header. */
#define MIME_BOUNDARIES_MAX 8

/* Room for a list of them, each an octet that says how many follow, "--", boundary. */
#define MIME_BOUNDARIES_SIZE (MIME_BOUNDARIES_MAX * (MIME_BOUNDARY_MAX + 3))

/* What is not in the list. */
enum mime_boundary_note { MIME_BOUNDARY_LONG = 1, MIME_BOUNDARY_MANY = 2 };

/*
 * Adds the boundaries in the value of a Content-Type to a list (of MIME_BOUNDARIES_SIZE) that has others already, each
 * once. Returns mime_boundary_note of what was left out.
 */
unsigned mime_boundary_list(struct span value, struct buf *list);

/*
 * The longest of the list that the line begins with, so that one that begins like another does not hide it: octets
 * of the line with the hyphens in front, 0 if there is none.
 */
size_t mime_boundary_match(struct span list, struct span line);

/* Has the list more than one? */
bool mime_boundary_list_has_several(struct span list);

#endif
