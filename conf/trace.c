/* trace: the steps of a decision. See trace.h. */
#include "conf/trace.h"

#include <stdarg.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/xalloc.h"

#define STEP_MAX 2000

void
trace_init(struct trace *t)
{
	*t = (struct trace){NULL, 0};
}

void
trace_release(struct trace *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i]);
	free(t->v);
	trace_init(t);
}

void
trace_add(struct trace *t, const char *fmt, ...)
{
	struct buf b;
	va_list ap;

	if (t == NULL || t->n > TRACE_MAX)
		return;
	buf_init(&b, STEP_MAX);
	va_start(ap, fmt);
	if (t->n == TRACE_MAX)
		buf_add_str(&b, "… and more steps than are shown");
	else if (buf_vaddf(&b, fmt, ap) != 0)
		buf_add_str(&b, "(a step too long to show)");
	va_end(ap);
	t->v = xreallocarray(t->v, t->n + 1, sizeof *t->v);
	t->v[t->n++] = buf_take(&b);
}
