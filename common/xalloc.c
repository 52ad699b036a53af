/* xalloc: allocation that cannot fail. See xalloc.h. */
#include "common/xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

static void *
checked(void *p)
{
	if (p == NULL)
		fatalx("out of memory");
	return p;
}

void *
xmalloc(size_t n)
{
	return checked(malloc(n > 0 ? n : 1));
}

void *
xcalloc(size_t count, size_t size)
{
	return checked(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *
xrealloc(void *p, size_t n)
{
	return checked(realloc(p, n > 0 ? n : 1));
}

void *
xreallocarray(void *p, size_t count, size_t size)
{
	return checked(reallocarray(p, count > 0 ? count : 1, size > 0 ? size : 1));
}

char *
xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *
xspandup(struct span s)
{
	char *p = xmalloc(s.len + 1);

	if (s.len > 0)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	return p;
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p = NULL;

	va_start(ap, fmt);
	if (vasprintf(&p, fmt, ap) < 0)
		p = NULL;
	va_end(ap);
	return checked(p);
}
