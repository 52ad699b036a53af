/*
 * utf8: strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing
 * above U+10FFFF.
 */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

/* Length in octets of the well-formed character s begins with, 0 if there is none; *c (may be NULL) gets it. */
size_t utf8_char(struct span s, uint32_t *c);

/* No octet above 127? */
bool utf8_is_ascii(struct span s);

/* Is the whole of s well-formed? The empty span is. */
bool utf8_valid(struct span s);

/*
 * How many octets at the beginning of s may be shown to a person: the run of
 * well-formed characters that are not controls (C0, DEL, C1), line or
 * paragraph separators, or shown as nothing (Default_Ignorable_Code_Point: zero-width and
 * bidirectional formatting, variation selectors, fillers, tags). 0 if the first is none.
 */
size_t utf8_printable(struct span s);

/* Is the character one that utf8_printable passes? */
bool utf8_is_printable(uint32_t c);

#endif
