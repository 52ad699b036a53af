/*
 * mime_field: name, value and parameters of a header field. See mime_field.h. Called by
 * mime_scan for boundaries and by mime_decode for what rules are matched against.
 */
#include "common/mime_field.h"

#include <stdio.h>

struct span
mime_field_name(struct span line)
{
	const struct span none = {"", 0};
	size_t n = 0, end;

	while (n < line.len && n <= MIME_NAME_MAX && line.p[n] > 0x20 && line.p[n] < 0x7f &&
	       line.p[n] != ':')
		n++;
	for (end = n; end < line.len && (line.p[end] == ' ' || line.p[end] == '\t');)
		end++;
	if (n == 0 || n > MIME_NAME_MAX || end == line.len || line.p[end] != ':')
		return none;
	return span_first(line, n);
}

struct span
mime_field_value(struct span line)
{
	ptrdiff_t colon = mime_field_name(line).len > 0 ? span_index(line, ':') : -1;

	return colon < 0 ? span_make("", 0) : span_trim(span_skip(line, (size_t)colon + 1));
}

/* White space, and comments with what is nested in them (RFC 5322 3.2.2). */
static void
skip_blank(struct span *s)
{
	unsigned depth = 0;
	size_t i = 0;

	for (; i < s->len; i++) {
		char c = s->p[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			i++;
		else if (depth == 0 && c != ' ' && c != '\t')
			break;
	}
	*s = span_skip(*s, i);
}

struct span
mime_value_type(struct span value, struct span *rest)
{
	size_t n = 0;

	skip_blank(&value);
	while (n < value.len && value.p[n] != ';' && value.p[n] != ' ' && value.p[n] != '\t' &&
	       value.p[n] != '(')
		n++;
	*rest = span_skip(value, n);
	return span_first(value, n);
}

/* A quoted string without its quotes, or what stands before the next semicolon or white space. */
static void
take_value(struct span *s, struct buf *value)
{
	bool quoted = s->len > 0 && s->p[0] == '"';
	size_t i = quoted ? 1 : 0;

	for (; i < s->len; i++) {
		char c = s->p[i];

		if (quoted && c == '\\' && i + 1 < s->len)
			c = s->p[++i];
		else if (quoted ? c == '"' : c == ';' || c == ' ' || c == '\t')
			break;
		buf_add_char(value, c);
	}
	*s = span_skip(*s, quoted && i < s->len ? i + 1 : i);
}

/* To the octet behind the next semicolon, which may not stand in quotes. */
static void
skip_to_param(struct span *s)
{
	bool quoted = false;
	size_t i = 0;

	for (; i < s->len && (quoted || s->p[i] != ';'); i++) {
		if (quoted && s->p[i] == '\\')
			i++;
		else if (s->p[i] == '"')
			quoted = !quoted;
	}
	*s = span_skip(*s, i + 1);
}

bool
mime_param_next(struct span *rest, struct span *name, struct buf *value)
{
	while (rest->len > 0) {
		size_t n = 0;

		skip_to_param(rest);
		skip_blank(rest);
		while (n < rest->len && rest->p[n] != '=' && rest->p[n] != ';')
			n++;
		*name = span_trim(span_first(*rest, n));
		*rest = span_skip(*rest, n);
		if (rest->len == 0 || rest->p[0] != '=')
			continue;
		*rest = span_skip(*rest, 1);
		skip_blank(rest);
		buf_clear(value);
		take_value(rest, value);
		if (name->len > 0)
			return true;
	}
	return false;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void
add_percent(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '%' && i + 2 < s.len && hex(s.p[i + 1]) >= 0 &&
		    hex(s.p[i + 2]) >= 0) {
			buf_add_char(out, (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2])));
			i += 2;
		} else {
			buf_add_char(out, s.p[i]);
		}
	}
}

/* The first parameter of this name. */
static bool
find_one(struct span rest, const char *name, struct buf *value)
{
	struct span word;

	while (mime_param_next(&rest, &word, value))
		if (span_is_nocase(word, name))
			return true;
	return false;
}

/* One piece, `name*2` or with percent codes `name*2*`; first: charset'language' goes before. */
static bool
add_piece(struct span rest, const char *name, int number, struct buf *out, struct buf *charset)
{
	char plain[64], coded[64];
	struct buf piece;
	struct span s;
	bool found;

	snprintf(plain, sizeof plain, number < 0 ? "%s" : "%s*%d", name, number);
	snprintf(coded, sizeof coded, number < 0 ? "%s*" : "%s*%d*", name, number);
	buf_init(&piece, out->max);
	found = number >= 0 && find_one(rest, plain, &piece);
	if (found) {
		buf_add_span(out, buf_span(&piece));
	} else if (find_one(rest, coded, &piece)) {
		found = true;
		s = buf_span(&piece);
		if (number <= 0 && span_index(s, '\'') >= 0) {
			buf_add_span(charset, span_cut(&s, '\''));
			if (span_index(s, '\'') >= 0)
				(void)span_cut(&s, '\'');
		}
		add_percent(out, s);
	}
	buf_release(&piece);
	return found;
}

bool
mime_param_find(
    struct span rest, const char *name, struct buf *out, struct buf *charset, bool *coded)
{
	bool found;

	buf_clear(out);
	buf_clear(charset);
	*coded = false;
	if (find_one(rest, name, out))
		return true;
	buf_clear(out);
	*coded = true;
	found = add_piece(rest, name, -1, out, charset);
	for (int i = 0; (i == 0 ? !found : found) && i < MIME_CONTINUATIONS_MAX; i++) {
		if (!add_piece(rest, name, i, out, charset))
			return i > 0;
		found = true;
	}
	return found;
}
