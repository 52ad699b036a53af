/* span: borrowed bytes. See span.h. */
#include "common/span.h"

#include <string.h>
#include <strings.h>

struct span
span_make(const void *p, size_t n)
{
	return (struct span){p, n};
}

struct span
span_str(const char *s)
{
	return (struct span){s, s != NULL ? strlen(s) : 0};
}

bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
span_eq_nocase(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.p, b.p, a.len) == 0);
}

bool
span_is(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

bool
span_is_nocase(struct span a, const char *s)
{
	return span_eq_nocase(a, span_str(s));
}

int
span_among(struct span a, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(a, names[i]))
			return (int)i;
	return -1;
}

int
span_among_nocase(struct span a, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is_nocase(a, names[i]))
			return (int)i;
	return -1;
}

bool
span_starts_with(struct span a, const char *s)
{
	size_t n = strlen(s);

	return a.len >= n && (n == 0 || memcmp(a.p, s, n) == 0);
}

bool
span_starts_with_nocase(struct span a, const char *s)
{
	size_t n = strlen(s);

	return a.len >= n && (n == 0 || strncasecmp(a.p, s, n) == 0);
}

struct span
span_cut(struct span *rest, char c)
{
	struct span head = *rest;
	ptrdiff_t i = span_index(*rest, c);

	if (i < 0) {
		*rest = (struct span){NULL, 0};
		return head;
	}
	head.len = (size_t)i;
	*rest = span_skip(*rest, (size_t)i + 1);
	return head;
}

struct span
span_trim(struct span a)
{
	while (a.len > 0 && (a.p[0] == ' ' || a.p[0] == '\t'))
		a = span_skip(a, 1);
	while (a.len > 0 && (a.p[a.len - 1] == ' ' || a.p[a.len - 1] == '\t'))
		a.len--;
	return a;
}

struct span
span_skip(struct span a, size_t n)
{
	if (n > a.len)
		n = a.len;
	return n > 0 ? (struct span){a.p + n, a.len - n} : a;
}

struct span
span_first(struct span a, size_t n)
{
	return (struct span){a.p, n < a.len ? n : a.len};
}

ptrdiff_t
span_index(struct span a, char c)
{
	const char *q = a.len > 0 ? memchr(a.p, c, a.len) : NULL;

	return q != NULL ? q - a.p : -1;
}

ptrdiff_t
span_rindex(struct span a, char c)
{
	const char *q = a.len > 0 ? memrchr(a.p, c, a.len) : NULL;

	return q != NULL ? q - a.p : -1;
}

int
span_to_u64(struct span a, uint64_t max, uint64_t *v)
{
	uint64_t n = 0;

	if (a.len == 0)
		return -1;
	for (size_t i = 0; i < a.len; i++) {
		if (a.p[i] < '0' || a.p[i] > '9')
			return -1;
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(a.p[i] - '0'), &n) || n > max)
			return -1;
	}
	*v = n;
	return 0;
}

bool
span_has_control(struct span a)
{
	for (size_t i = 0; i < a.len; i++) {
		unsigned char c = (unsigned char)a.p[i];

		if (c < 0x20 || c == 0x7f)
			return true;
	}
	return false;
}
