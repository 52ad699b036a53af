/* bounce_template: names in braces replaced by values. See bounce_template.h. */
#include "queue/bounce_template.h"

#include <stdbool.h>

#define NAME_MAX_LEN 32

/* A name in braces at the front of s: its length with both braces, 0 if there is none. */
static size_t
find_name(struct span s, struct span *name)
{
	ptrdiff_t close = span_index(span_first(s, NAME_MAX_LEN + 2), '}');

	if (s.len == 0 || s.p[0] != '{' || close < 2)
		return 0;
	*name = span_make(s.p + 1, (size_t)close - 1);
	return (size_t)close + 1;
}

int
bounce_template_expand(struct span text, bounce_value_fn *value, void *arg, struct buf *out)
{
	while (text.len > 0) {
		ptrdiff_t brace = span_index(text, '{');
		size_t plain = brace >= 0 ? (size_t)brace : text.len, n;
		struct span name;
		int r = 1;

		if (buf_add_span(out, span_first(text, plain)) != 0)
			return -1;
		text = span_skip(text, plain);
		n = find_name(text, &name);
		if (n > 0)
			r = value(name, out, arg);
		if (r < 0)
			return -1;
		if (r > 0 && text.len > 0) { /* the brace is just a brace */
			n = 1;
			if (buf_add_char(out, text.p[0]) != 0)
				return -1;
		}
		text = span_skip(text, n);
	}
	return 0;
}

struct span
bounce_template_subject(struct span *text)
{
	static const char field[] = "Subject:";
	struct span rest = *text, line, behind;

	if (!span_starts_with_nocase(rest, field))
		return span_str("");
	line = span_cut(&rest, '\n');
	behind = rest;
	if (rest.p != NULL && span_trim(span_cut(&behind, '\n')).len == 0)
		rest = behind;
	*text = rest.p != NULL ? rest : span_str("");
	return span_trim(span_skip(line, sizeof field - 1));
}
