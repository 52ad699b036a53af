/* buf: a growable byte buffer with a maximum. See buf.h. */
#include "common/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void
buf_init_secret(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max, .secret = true};
}

/* Octets of a buffer that buf_clear_large leaves. */
#define KEPT_MAX 4096

static void
empty(struct buf *b)
{
	*b = (struct buf){.max = b->max, .secret = b->secret};
}

void
buf_release(struct buf *b)
{
	if (b->secret && b->p != NULL)
		explicit_bzero(b->p, b->cap);
	free(b->p);
	empty(b);
}

void
buf_clear_large(struct buf *b)
{
	if (b->cap > KEPT_MAX)
		buf_release(b);
	else
		buf_clear(b);
}

void
buf_clear(struct buf *b)
{
	if (b->secret && b->p != NULL)
		explicit_bzero(b->p, b->len);
	b->len = 0;
	if (b->p != NULL)
		b->p[0] = '\0';
}

/* realloc would leave a copy behind. */
static void
grow_secret(struct buf *b, size_t cap)
{
	char *p = xmalloc(cap);

	if (b->p != NULL) {
		memcpy(p, b->p, b->len);
		explicit_bzero(b->p, b->cap);
	}
	free(b->p);
	b->p = p;
}

/* Is there room for n octets more and the zero behind them, as there mostly is? */
static inline bool
has_room(const struct buf *b, size_t n)
{
	return b->cap > b->len && n < b->cap - b->len && n <= b->max - b->len;
}

int
buf_reserve(struct buf *b, size_t n)
{
	size_t need, cap;

	if (has_room(b, n))
		return 0;
	if (__builtin_add_overflow(b->len, n, &need) || need > b->max)
		return -1;
	for (cap = b->cap > 0 ? b->cap : 64; cap <= need; cap *= 2)
		;
	if (b->secret)
		grow_secret(b, cap);
	else
		b->p = xrealloc(b->p, cap);
	b->cap = cap;
	b->p[b->len] = '\0';
	return 0;
}

int
buf_add(struct buf *b, const void *p, size_t n)
{
	if (!has_room(b, n) && buf_reserve(b, n) != 0)
		return -1;
	if (n > 0)
		memcpy(b->p + b->len, p, n);
	b->len += n;
	b->p[b->len] = '\0';
	return 0;
}

int
buf_add_span(struct buf *b, struct span s)
{
	return buf_add(b, s.p, s.len);
}

int
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_add_char(struct buf *b, char c)
{
	if (!has_room(b, 1) && buf_reserve(b, 1) != 0)
		return -1;
	b->p[b->len++] = c;
	b->p[b->len] = '\0';
	return 0;
}

int
buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	size_t room;
	va_list again;
	int n;

	if (buf_reserve(b, b->max - b->len < 64 ? 0 : 64) != 0)
		return -1;
	room = b->cap - b->len;
	va_copy(again, ap);
	n = vsnprintf(room > 0 ? b->p + b->len : NULL, room, fmt, again);
	va_end(again);
	if (n >= 0 && (size_t)n >= room && buf_reserve(b, (size_t)n) == 0)
		vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	else if (n < 0 || (size_t)n >= room || (size_t)n > b->max - b->len) {
		if (room > 0)
			b->p[b->len] = '\0';
		return -1;
	}
	b->len += (size_t)n;
	return 0;
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = buf_vaddf(b, fmt, ap);
	va_end(ap);
	return r;
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n >= b->len) {
		buf_clear(b);
		return;
	}
	memmove(b->p, b->p + n, b->len - n + 1);
	b->len -= n;
	if (b->secret)
		explicit_bzero(b->p + b->len, n);
}

struct span
buf_span(const struct buf *b)
{
	return span_make(b->p != NULL ? b->p : "", b->len);
}

const char *
buf_str(const struct buf *b)
{
	return b->p != NULL ? b->p : "";
}

char *
buf_take(struct buf *b)
{
	char *p = b->p != NULL ? b->p : xstrdup("");

	empty(b);
	return p;
}
