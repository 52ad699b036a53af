/* check_problems: what `postrider check` has found. See check_problems.h. Called by cmd_check. */
#include "queue/check_problems.h"

#include <stdlib.h>
#include <string.h>

#include "common/span.h"
#include "common/xalloc.h"

/* Where a problem is: "file:line: text" or "file: text". */
struct place {
	struct span file, text;
	uint64_t line; /* 0: none is said */
};

static struct place
place_of(const char *problem)
{
	struct place p = {.file = span_str(problem), .text = span_str("")};
	struct span rest = span_str(problem);
	ptrdiff_t colon;

	/* A path may have colons, and numbers: the first number between colons and a blank is the line. */
	for (size_t at = 0; (colon = span_index(span_skip(rest, at), ':')) >= 0;) {
		struct span behind = span_skip(rest, at + (size_t)colon + 1), number;
		struct span after = behind;

		number = span_cut(&after, ':');
		if (span_to_u64(number, UINT32_MAX, &p.line) == 0 &&
		    span_starts_with(after, " ")) {
			p.file = span_first(rest, at + (size_t)colon);
			p.text = span_skip(after, 1);
			return p;
		}
		at += (size_t)colon + 1;
	}
	p.line = 0;
	for (size_t i = 0; i + 1 < rest.len; i++) {
		if (rest.p[i] != ':' || rest.p[i + 1] != ' ')
			continue;
		p.file = span_first(rest, i);
		p.text = span_skip(rest, i + 2);
		break;
	}
	return p;
}

/* Is what the reader of the file said of that line the same, with what stands there in front? */
static bool
says_it(const struct place *there, const struct place *p)
{
	return there->line == p->line && p->line > 0 && p->text.len > 0 &&
	       span_eq(there->file, p->file) &&
	       memmem(there->text.p, there->text.len, p->text.p, p->text.len) != NULL;
}

void
check_problems_add(struct config_errors *errors, const char *root, const char *text)
{
	char *whole = xasprintf("%s/%s", root, text), *cause;
	const struct place p = place_of(whole);

	cause = xasprintf("%s/%.*s", root, SPAN_ARG(p.text));
	for (size_t i = 0; i < errors->n; i++) {
		const struct place there = place_of(errors->v[i].text);

		if (strcmp(errors->v[i].text, whole) == 0 || says_it(&there, &p))
			goto done;
		if (strcmp(errors->v[i].text, cause) == 0) {
			free(errors->v[i].text);
			errors->v[i].text = whole;
			whole = NULL;
			goto done;
		}
	}
	config_errors_add_text(errors, whole);
done:
	free(whole);
	free(cause);
}

struct entry {
	struct config_error error;
	size_t file, number; /* the first problem of the file, its own */
	uint64_t line;
};

static int
compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

void
check_problems_order(struct config_errors *errors)
{
	struct entry *v = xcalloc(errors->n + 1, sizeof *v);

	for (size_t i = 0; i < errors->n; i++) {
		struct place p = place_of(errors->v[i].text);
		size_t first = 0;

		while (!span_eq(place_of(errors->v[first].text).file, p.file))
			first++;
		v[i] = (struct entry){errors->v[i], first, i, p.line};
	}
	qsort(v, errors->n, sizeof *v, compare);
	for (size_t i = 0; i < errors->n; i++)
		errors->v[i] = v[i].error;
	free(v);
}
