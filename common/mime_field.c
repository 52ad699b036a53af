/*
 * mime_field: name and value of a header field, and what values are made of. See mime_field.h. Called by mime_scan,
 * mime_boundary, mime_param and mime_decode.
 */
#include "common/mime_field.h"

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

void
mime_skip_blank(struct span *s)
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

	mime_skip_blank(&value);
	while (n < value.len && value.p[n] != ';' && value.p[n] != ' ' && value.p[n] != '\t' &&
	       value.p[n] != '(')
		n++;
	*rest = span_skip(value, n);
	return span_first(value, n);
}

void
mime_take_value(struct span *s, struct buf *value)
{
	bool quoted = s->len > 0 && s->p[0] == '"';
	size_t i = quoted ? 1 : 0;

	for (; i < s->len; i++) {
		char c = s->p[i];

		if (quoted && c == '\\' && i + 1 < s->len)
			c = s->p[++i];
		else if (quoted ? c == '"' : c == ';' || c == ' ' || c == '\t')
			break;
		if (value != NULL)
			buf_add_char(value, c);
	}
	*s = span_skip(*s, quoted && i < s->len ? i + 1 : i);
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
mime_hex(struct span s, char *octet)
{
	int high = s.len > 0 ? digit(s.p[0]) : -1, low = s.len > 1 ? digit(s.p[1]) : -1;

	if (high < 0 || low < 0)
		return false;
	*octet = (char)(high << 4 | low);
	return true;
}
