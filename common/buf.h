/*
 * buf: a growable byte buffer, always NUL-terminated, with a maximum set at
 * init. Growing past the maximum is an ordinary error, so no stranger can make
 * a process take more memory than a limit in limits.h allows.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/span.h"

struct buf {
	char *p;    /* NUL-terminated after init; NULL until the first byte is added */
	size_t len; /* bytes in use, without the NUL */
	size_t cap; /* bytes allocated */
	size_t max; /* len never exceeds this */
	bool
	    secret; /* octets that go, and memory that is left behind, are wiped: see buf_init_secret */
};

/* An empty buffer that may grow to max bytes. Allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* The same for what passwords pass through: nothing stays in memory of what it has held. */
void buf_init_secret(struct buf *b, size_t max);

/* Frees what it holds; it may be used again as it was initialised. */
void buf_release(struct buf *b);

/* Empties it, keeping the memory. */
void buf_clear(struct buf *b);

/* The same, and memory is given back if it is more than most need: what a stranger made large does not stay so. */
void buf_clear_large(struct buf *b);

/* Make room for n more bytes; -1 if that would exceed the maximum. */
int buf_reserve(struct buf *b, size_t n) __attribute__((warn_unused_result));

/* Append bytes. Return 0, or -1 with nothing added if the maximum would be exceeded. */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_add_span(struct buf *b, struct span s);
int buf_add_str(struct buf *b, const char *s);
int buf_add_char(struct buf *b, char c);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vaddf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Remove the first n bytes (all, if there are fewer). */
void buf_drop(struct buf *b, size_t n);

/* What it holds: as a span, as a C string (never NULL). Valid until the next change. */
struct span buf_span(const struct buf *b);
const char *buf_str(const struct buf *b);

/* Gives the memory to the caller, who frees it (never NULL); the buffer is empty again. */
char *buf_take(struct buf *b);

#endif
