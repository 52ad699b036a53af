/*
 * span: borrowed bytes, a pointer and a length. Not NUL-terminated and never
 * owned; valid as long as what it points into. Every parser takes spans.
 */
#ifndef COMMON_SPAN_H
#define COMMON_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const char *p;
	size_t len;
};

/* For printf: "%.*s", SPAN_ARG(s). Spans longer than INT_MAX never reach a log line. */
#define SPAN_ARG(s) (int)(s).len, (s).p

/* The span of n bytes at p. */
struct span span_make(const void *p, size_t n);

/* The span of a C string without its NUL; NULL gives the empty span. */
struct span span_str(const char *s);

/* Same bytes; same bytes but for ASCII case. */
bool span_eq(struct span a, struct span b);
bool span_eq_nocase(struct span a, struct span b);
bool span_is(struct span a, const char *s);
bool span_is_nocase(struct span a, const char *s);

/* Index in a table of names of the one that a is, or -1. */
int span_among(struct span a, const char *const *names, size_t n);
int span_among_nocase(struct span a, const char *const *names, size_t n);

/* Does a begin (end) with these bytes, ASCII case aside for the nocase form? */
bool span_starts_with(struct span a, const char *s);
bool span_starts_with_nocase(struct span a, const char *s);

/*
 * Cuts *rest at the first c: returns what stands before it and leaves in
 * *rest what follows. Without c the whole is returned and *rest is empty
 * with a NULL pointer, so a loop ends with `while (rest.p != NULL)`.
 */
struct span span_cut(struct span *rest, char c);

/* a without SP and HTAB at both ends. */
struct span span_trim(struct span a);

/* The last n bytes gone, or the first n; n beyond the length gives the empty span. */
struct span span_skip(struct span a, size_t n);
struct span span_first(struct span a, size_t n);

/* Index of the first (last) c, or -1. */
ptrdiff_t span_index(struct span a, char c);
ptrdiff_t span_rindex(struct span a, char c);

/* A decimal number that fills the whole span; -1 if empty, not digits, or above max. */
int span_to_u64(struct span a, uint64_t max, uint64_t *v);

/* Does any octet below 0x20, or 0x7f, stand in it? */
bool span_has_control(struct span a);

#endif
