/*
 * mime_field: name, value and parameters of a header field. See mime_field.h. Called by
 * mime_scan for boundaries and by mime_decode for what rules are matched against.
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

/* The next parameter's name, and what begins with its value. */
static bool
next_param(struct span *rest, struct span *name, struct span *at)
{
	while (rest->len > 0) {
		size_t n = 0;

		skip_to_param(rest);
		mime_skip_blank(rest);
		while (n < rest->len && rest->p[n] != '=' && rest->p[n] != ';')
			n++;
		*name = span_trim(span_first(*rest, n));
		*rest = span_skip(*rest, n);
		if (rest->len == 0 || rest->p[0] != '=')
			continue;
		*rest = span_skip(*rest, 1);
		mime_skip_blank(rest);
		*at = *rest;
		mime_take_value(rest, NULL);
		if (name->len > 0)
			return true;
	}
	return false;
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

static void
add_percent(struct buf *out, struct span s)
{
	char octet;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '%' && mime_hex(span_skip(s, i + 1), &octet)) {
			buf_add_char(out, octet);
			i += 2;
		} else {
			buf_add_char(out, s.p[i]);
		}
	}
}

/* Where a parameter and its pieces begin; of several alike the first. p NULL: it is not there. */
struct found {
	struct span plain;			    /* name= */
	struct span whole;			    /* name*= */
	struct span pieces[MIME_CONTINUATIONS_MAX]; /* name*0=, name*0*= */
	bool coded[MIME_CONTINUATIONS_MAX];
};

static void
note(struct span *place, struct span at)
{
	if (place->p == NULL)
		*place = at;
}

/* What stands behind the name: "", "*", "*2", "*2*". */
static void
note_param(struct found *f, struct span suffix, struct span at)
{
	bool coded;
	uint64_t n;

	if (suffix.len == 0) {
		note(&f->plain, at);
		return;
	}
	if (suffix.p[0] != '*')
		return;
	suffix = span_skip(suffix, 1);
	if (suffix.len == 0) {
		note(&f->whole, at);
		return;
	}
	coded = suffix.p[suffix.len - 1] == '*';
	if (span_to_u64(span_first(suffix, suffix.len - (coded ? 1 : 0)),
		MIME_CONTINUATIONS_MAX - 1, &n) != 0 ||
	    f->pieces[n].p != NULL)
		return;
	f->pieces[n] = at;
	f->coded[n] = coded;
}

/* One piece behind what is there; in front of the first coded one stands charset'language'. */
static void
add_piece(struct span at, bool coded, bool first, struct buf *out, struct buf *charset)
{
	struct buf piece;
	struct span s;

	if (!coded) {
		mime_take_value(&at, out);
		return;
	}
	buf_init(&piece, out->max);
	mime_take_value(&at, &piece);
	s = buf_span(&piece);
	if (first && span_index(s, '\'') >= 0) {
		buf_add_span(charset, span_cut(&s, '\''));
		if (span_index(s, '\'') >= 0)
			(void)span_cut(&s, '\'');
	}
	add_percent(out, s);
	buf_release(&piece);
}

static void
add_pieces(const struct found *f, struct buf *out, struct buf *charset)
{
	for (size_t i = 0; i < MIME_CONTINUATIONS_MAX && f->pieces[i].p != NULL; i++)
		add_piece(f->pieces[i], f->coded[i], i == 0, out, charset);
}

bool
mime_param_find(struct span rest, const char *name, enum mime_param_form form, struct buf *out,
    struct buf *charset)
{
	struct found f = {.plain = {NULL, 0}};
	struct span word, at;

	buf_clear(out);
	buf_clear(charset);
	while (next_param(&rest, &word, &at))
		if (span_starts_with_nocase(word, name))
			note_param(&f, span_skip(word, span_str(name).len), at);
	switch (form) {
	case MIME_PARAM_PLAIN:
		if (f.plain.p != NULL)
			add_piece(f.plain, false, true, out, charset);
		return f.plain.p != NULL;
	case MIME_PARAM_CODED:
		if (f.whole.p != NULL)
			add_piece(f.whole, true, true, out, charset);
		return f.whole.p != NULL;
	case MIME_PARAM_PIECES:
		add_pieces(&f, out, charset);
		return f.pieces[0].p != NULL;
	}
	return false;
}
