/*
 * escapes: the notation of the tables in tests/vectors in C: \r \n \t \\ \" \xNN are octets,
 * {*n:str} is str n times, everything else is itself. Used by the unit tests that
 * read a table and by the address tool.
 */
#ifndef TESTS_UNIT_ESCAPES_H
#define TESTS_UNIT_ESCAPES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"

static inline int
escapes_hex(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at =
	    c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* One octet, escaped or not, from the front of *s; -1 if the escape is unknown. */
static inline int
escapes_octet(struct span *s)
{
	static const char names[] = "rnt\\\"", octets[] = "\r\n\t\\\"";
	const char *name;
	size_t used = 2;
	int c;

	if (s->p[0] != '\\') {
		c = (unsigned char)s->p[0];
		used = 1;
	} else if (s->len >= 4 && s->p[1] == 'x' && escapes_hex(s->p[2]) >= 0 &&
		   escapes_hex(s->p[3]) >= 0) {
		c = escapes_hex(s->p[2]) * 16 + escapes_hex(s->p[3]);
		used = 4;
	} else if (s->len >= 2 && s->p[1] != '\0' && (name = strchr(names, s->p[1])) != NULL) {
		c = (unsigned char)octets[name - names];
	} else {
		return -1;
	}
	*s = span_skip(*s, used);
	return c;
}

/* Appends text with its escapes undone; false if it is malformed or out is full. */
static inline bool
escapes_plain(struct span s, struct buf *out)
{
	while (s.len > 0) {
		int c = escapes_octet(&s);

		if (c < 0 || buf_add_char(out, (char)c) != 0)
			return false;
	}
	return true;
}

/* The same with repetitions, which do not nest. */
static inline bool
escapes_expand(struct span s, struct buf *out)
{
	while (s.len > 0) {
		struct span rest = s, count, text;
		uint64_t n;
		int c;

		if (span_starts_with(s, "{*")) {
			rest = span_skip(s, 2);
			count = span_cut(&rest, ':');
			if (span_index(rest, '}') < 0 || span_to_u64(count, 1U << 20, &n) != 0)
				return false;
			text = span_cut(&rest, '}');
			while (n-- > 0)
				if (!escapes_plain(text, out))
					return false;
			s = rest;
			continue;
		}
		c = escapes_octet(&s);
		if (c < 0 || buf_add_char(out, (char)c) != 0)
			return false;
	}
	return true;
}

#endif
