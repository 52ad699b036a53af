/*
 * xalloc: allocation that cannot fail. Out of memory aborts the process (the
 * supervisor starts it again; nothing acknowledged is lost); what strangers
 * can make grow is bounded by limits.h instead, and that is an ordinary error.
 */
#ifndef COMMON_XALLOC_H
#define COMMON_XALLOC_H

#include <stddef.h>

#include "common/span.h"

/* As malloc, calloc, realloc, strdup; the caller frees. Never NULL. */
void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
void *xreallocarray(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));

/* A NUL-terminated copy of the span's bytes. */
char *xspandup(struct span s) __attribute__((malloc, returns_nonnull));

/* As asprintf, with the string returned. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

#endif
