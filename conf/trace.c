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
	*t = (struct trace){.stage = ""};
}

void
trace_release(struct trace *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].where);
		free(t->v[i].outcome);
	}
	free(t->v);
	trace_init(t);
}

void
trace_set_stage(struct trace *t, const char *stage)
{
	if (t != NULL)
		t->stage = stage;
}

static void __attribute__((format(printf, 4, 0)))
add(struct trace *t, const char *what, char *where, const char *fmt, va_list ap)
{
	struct buf b;

	buf_init(&b, STEP_MAX);
	if (t->n == TRACE_MAX)
		buf_add_str(&b, "… and more steps than are shown");
	else if (buf_vaddf(&b, fmt, ap) != 0)
		buf_add_str(&b, "(a step too long to show)");
	t->v = xreallocarray(t->v, t->n + 1, sizeof *t->v);
	t->v[t->n++] = (struct trace_step){t->stage, what, where, buf_take(&b)};
}

void
trace_add(struct trace *t, const char *fmt, ...)
{
	va_list ap;

	if (t == NULL || t->n > TRACE_MAX)
		return;
	va_start(ap, fmt);
	add(t, "", xstrdup(""), fmt, ap);
	va_end(ap);
}

static char *
format_place(const struct trace_place *p)
{
	struct buf b;

	buf_init(&b, STEP_MAX);
	if (p->directory != NULL)
		buf_addf(&b, "%s/", p->directory);
	if (p->file != NULL)
		buf_add_str(&b, p->file);
	if (p->line > 0)
		buf_addf(&b, ":%u", p->line);
	return buf_take(&b);
}

void
trace_look(struct trace *t, const char *what, struct trace_place place, const char *fmt, ...)
{
	va_list ap;

	if (t == NULL || t->n > TRACE_MAX)
		return;
	va_start(ap, fmt);
	add(t, what, format_place(&place), fmt, ap);
	va_end(ap);
}
