/* config_errors: complaints about files. See config_errors.h. */
#include "conf/config_errors.h"

#include <stdarg.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/xalloc.h"

/* Longest complaint kept; what it quotes comes from files of any size. */
#define TEXT_MAX 1000

static void
keep(struct config_errors *errors, char *text, unsigned line)
{
	errors->v = xreallocarray(errors->v, errors->n + 1, sizeof *errors->v);
	errors->v[errors->n++] = (struct config_error){text, line};
}

/* "file:line: text", in printable characters. */
static char *__attribute__((format(printf, 3, 0)))
format(const char *path, unsigned line, const char *fmt, va_list ap)
{
	struct buf raw, clean;
	char *text;

	buf_init(&raw, 1 << 20);
	buf_init(&clean, 4 << 20);
	if (line > 0)
		buf_addf(&raw, "%s:%u: ", path, line);
	else
		buf_addf(&raw, "%s: ", path);
	if (buf_vaddf(&raw, fmt, ap) != 0)
		buf_add_str(&raw, "(too long to show)");
	log_escape(&clean, span_first(buf_span(&raw), TEXT_MAX));
	text = buf_take(&clean);
	buf_release(&raw);
	return text;
}

void
config_errors_add(
    struct config_errors *errors, const char *path, unsigned line, const char *fmt, ...)
{
	va_list ap;

	if (errors == NULL)
		return;
	if (errors->n >= CONFIG_ERRORS_MAX) {
		errors->dropped++;
		return;
	}
	va_start(ap, fmt);
	keep(errors, format(path, line, fmt, ap), line);
	va_end(ap);
}

void
config_errors_warn(
    struct config_errors *errors, const char *path, unsigned line, const char *fmt, ...)
{
	va_list ap;

	if (errors == NULL || errors->nwarnings >= CONFIG_ERRORS_MAX)
		return;
	errors->warnings =
	    xreallocarray(errors->warnings, errors->nwarnings + 1, sizeof *errors->warnings);
	va_start(ap, fmt);
	errors->warnings[errors->nwarnings++] =
	    (struct config_error){format(path, line, fmt, ap), line};
	va_end(ap);
}

void
config_errors_add_text(struct config_errors *errors, const char *text)
{
	if (errors->n >= CONFIG_ERRORS_MAX)
		errors->dropped++;
	else
		keep(errors, xstrdup(text), 0);
}

/* Insertion sort: keeps the order of complaints about one line, and the list is short. */
static void
sort_stable(struct config_error *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct config_error e = v[i];
		size_t j = i;

		for (; j > 0 && v[j - 1].line > e.line; j--)
			v[j] = v[j - 1];
		v[j] = e;
	}
}

void
config_errors_finish(struct config_errors *errors, size_t first)
{
	if (errors == NULL)
		return;
	if (errors->n > first)
		sort_stable(errors->v + first, errors->n - first);
	if (errors->dropped > 0) {
		keep(errors, xasprintf("%zu further errors are not shown", errors->dropped), 0);
		errors->dropped = 0;
	}
}

void
config_errors_release(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++)
		free(errors->v[i].text);
	free(errors->v);
	for (size_t i = 0; i < errors->nwarnings; i++)
		free(errors->warnings[i].text);
	free(errors->warnings);
	*errors = (struct config_errors){.v = NULL};
}
