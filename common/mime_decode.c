/* mime_decode: a header field as a person would see it. See mime_decode.h. Called by conf/header_check. */
#include "common/mime_decode.h"

#include <string.h>

#include "common/mime_field.h"
#include "common/mime_param.h"

/* RFC 2047 2 says 75 octets; those who write longer words are read all the same. */
#define WORD_MAX MIME_DECODE_MAX

struct word {
	struct span charset, text;
	char coding; /* 'b' or 'q' */
};

/* =?charset?coding?text?= at the front of *s, which is moved behind it. */
static bool
take_word(struct span *s, struct word *w)
{
	struct span rest = span_first(*s, WORD_MAX), coding;
	const char *end;

	if (!span_starts_with(rest, "=?"))
		return false;
	rest = span_skip(rest, 2);
	w->charset = span_cut(&rest, '?');
	coding = rest.p != NULL ? span_cut(&rest, '?') : rest;
	if (rest.p == NULL || w->charset.len == 0 || coding.len != 1)
		return false;
	w->coding = (char)(coding.p[0] | 0x20);
	w->charset = span_cut(&w->charset, '*'); /* RFC 2231 5: a language */
	if ((w->coding != 'b' && w->coding != 'q') || span_index(w->charset, ' ') >= 0)
		return false;
	end = memmem(rest.p, rest.len, "?=", 2);
	if (end == NULL)
		return false;
	w->text = span_make(rest.p, (size_t)(end - rest.p));
	*s = span_skip(*s, (size_t)(end + 2 - s->p));
	return true;
}

static void
decode_q(struct span s, struct buf *out)
{
	char octet;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '=' && mime_hex(span_skip(s, i + 1), &octet)) {
			buf_add_char(out, octet);
			i += 2;
		} else {
			buf_add_char(out, s.p[i] == '_' ? ' ' : s.p[i]);
		}
	}
}

static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/*
 * What is no digit of base64 is passed over, as by those who read mail (RFC 2045 6.8); behind the end that padding marks some
 * read on, and find more.
 */
static void
decode_b(struct span s, struct buf *out)
{
	unsigned bits = 0, have = 0;

	for (size_t i = 0; i < s.len; i++) {
		int d = digit(s.p[i]);

		if (s.p[i] == '=')
			bits = have = 0;
		if (d < 0)
			continue;
		bits = (bits << 6 | (unsigned)d) & 0xffffU;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_add_char(out, (char)(bits >> have & 0xffU));
		}
	}
}

/* Is this ISO 8859-1, or what Windows makes of it? The 32 octets in which they differ stay as they are. */
static bool
is_latin(struct span charset)
{
	return span_is_nocase(charset, "iso-8859-1") ||
	       span_is_nocase(charset, "iso-8859-15") || span_is_nocase(charset, "latin1") ||
	       span_is_nocase(charset, "windows-1252");
}

/* Control octets that were hidden in a code are shown as spaces: the form is one line. */
static void
add_text(struct span text, struct span charset, struct buf *out)
{
	bool latin = is_latin(charset);

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < 0x20 || c == 0x7f) {
			buf_add_char(out, ' ');
		} else if (latin && c >= 0xa0) {
			buf_add_char(out, (char)(0xc0 | c >> 6));
			buf_add_char(out, (char)(0x80 | (c & 0x3f)));
		} else {
			buf_add_char(out, (char)c);
		}
	}
}

static void
add_word(const struct word *w, struct buf *out)
{
	struct buf text;

	buf_init(&text, WORD_MAX);
	if (w->coding == 'b')
		decode_b(w->text, &text);
	else
		decode_q(w->text, &text);
	add_text(buf_span(&text), w->charset, out);
	buf_release(&text);
}

/* Encoded words, the first of them *w. White space between two is no part of the text (RFC 2047 6.2). Returns what follows. */
static struct span
add_words(struct word *w, struct span s, struct buf *out)
{
	for (;;) {
		struct span next = s;

		add_word(w, out);
		while (next.len > 0 && (next.p[0] == ' ' || next.p[0] == '\t'))
			next = span_skip(next, 1);
		if (!take_word(&next, w))
			return s;
		s = next;
	}
}

/* Up to the last end of a word: behind it nothing is searched for one, again and again. */
static size_t
words_end(struct span s)
{
	size_t n = s.len;

	while (n > 1 && (s.p[n - 2] != '?' || s.p[n - 1] != '='))
		n--;
	return n > 1 ? n : 0;
}

static bool
decode_words(struct span whole, struct buf *out)
{
	struct span s = span_first(whole, words_end(whole)), rest = span_skip(whole, s.len);
	bool any = false;
	struct word w;

	while (s.len > 0) {
		if (s.p[0] != '=' || !take_word(&s, &w)) {
			buf_add_char(out, s.p[0]);
			s = span_skip(s, 1);
			continue;
		}
		s = add_words(&w, s, out);
		any = true;
	}
	buf_add_span(out, rest);
	return any;
}

struct wanted {
	const char *name;
	struct span field;
	struct buf *out;
	bool any;
};

/* Does the field say it in so many words? */
static bool
is_said(struct span field, const char *name, const char *quote, struct span value)
{
	struct buf text;
	bool is;

	buf_init(&text, value.len + 100);
	buf_addf(&text, "%s=%s", name, quote);
	buf_add_span(&text, value);
	buf_add_str(&text, quote);
	is = memmem(field.p, field.len, text.p, text.len) != NULL;
	buf_release(&text);
	return is;
}

static void
add_param(struct wanted *w, struct span value, struct span charset)
{
	buf_addf(w->out, "; %s=\"", w->name);
	add_text(value, charset, w->out);
	buf_add_char(w->out, '"');
	w->any = true;
}

/* One reading of a parameter goes behind the field, unless it is there to be seen. */
static void
on_reading(enum mime_param_form form, struct span value, struct span charset, void *arg)
{
	struct wanted *w = arg;
	struct buf words;

	if (form == MIME_PARAM_PLAIN &&
	    (is_said(w->field, w->name, "\"", value) || is_said(w->field, w->name, "", value)))
		return;
	add_param(w, value, charset);
	/* Encoded words may have been in pieces. */
	buf_init(&words, 2 * MIME_PARAMS_MAX);
	if (decode_words(value, &words))
		add_param(w, buf_span(&words), span_str(""));
	buf_release(&words);
}

/*
 * Parameters that a person would not find by reading: coded, in pieces, or spelled in another way. Mail programs that follow
 * RFC 2231 show the plain form, those that follow RFC 6266 the coded one.
 */
static bool
decode_params(struct span field, struct buf *out)
{
	static const char *const names[] = {"filename", "name", "boundary"};
	struct wanted w = {.field = field, .out = out};
	struct span rest;

	(void)mime_value_type(mime_field_value(field), &rest);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		w.name = names[i];
		mime_param_readings(rest, names[i], on_reading, &w);
	}
	return w.any;
}

static bool
may_have_params(struct span field)
{
	return span_starts_with_nocase(field, "content-") && span_index(field, ';') >= 0;
}

static bool
may_have_words(struct span field)
{
	return memmem(field.p, field.len, "=?", 2) != NULL;
}

bool
mime_decode_is_too_long(struct span field)
{
	return (field.len > MIME_PARAMS_MAX && may_have_params(field)) ||
	       (field.len > MIME_DECODE_MAX && may_have_words(field));
}

bool
mime_decode(struct span field, struct buf *out)
{
	bool any, params = field.len <= MIME_PARAMS_MAX && may_have_params(field);

	buf_clear(out);
	if (field.len > MIME_DECODE_MAX || !(params || may_have_words(field)))
		return false;
	any = decode_words(field, out);
	return (params && decode_params(field, out)) || any;
}
