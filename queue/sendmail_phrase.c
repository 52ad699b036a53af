/*
 * sendmail_phrase: a name in a From field. See sendmail_phrase.h. Called by
 * sendmail_header. Invariant: the output holds no line end but one that folds.
 */
#include "queue/sendmail_phrase.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "common/utf8.h"

/* RFC 2047 2: at most 75 octets with the marks of both ends. */
#define WORD_MAX 75

static const char word_begin[] = "=?utf-8?q?";
static const char word_end[] = "?=";

/* Only atoms with single spaces between them: needs no quotes. An encoded word in disguise does. */
static bool
is_atoms(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!isalnum((unsigned char)s.p[i]) &&
		    memchr("!#$%&'*+-/^_`{|}~ ", s.p[i], 18) == NULL)
			return false;
	}
	return true;
}

static void
quote(struct span s, struct buf *out)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, s.p[i]);
	}
	buf_add_char(out, '"');
}

/* One octet in Q encoding, in the form allowed in a phrase (RFC 2047 5 (3)). */
static void
encode_octet(unsigned char c, struct buf *word)
{
	if (c == ' ')
		buf_add_char(word, '_');
	else if (c < 0x80 && isalnum(c))
		buf_add_char(word, (char)c);
	else
		buf_addf(word, "=%02X", c);
}

/* Encoded words that each hold whole characters, folded onto lines of their own. */
static void
encode(struct span s, struct buf *out)
{
	struct buf word;

	buf_init(&word, WORD_MAX);
	buf_add_str(&word, word_begin);
	while (s.len > 0) {
		size_t n = utf8_char(s, NULL);

		if (word.len + 3 * n + strlen(word_end) > WORD_MAX) {
			buf_addf(out, "%s%s\n ", buf_str(&word), word_end);
			buf_clear(&word);
			buf_add_str(&word, word_begin);
		}
		for (size_t i = 0; i < n; i++)
			encode_octet((unsigned char)s.p[i], &word);
		s = span_skip(s, n);
	}
	buf_addf(out, "%s%s", buf_str(&word), word_end);
	buf_release(&word);
}

int
sendmail_phrase_format(struct span name, struct buf *out)
{
	name = span_trim(name);
	if (name.len == 0 || name.len > SENDMAIL_NAME_MAX || span_has_control(name) ||
	    !utf8_valid(name))
		return -1;
	if (!utf8_is_ascii(name))
		encode(name, out);
	else if (is_atoms(name))
		buf_add_span(out, name);
	else
		quote(name, out);
	return 0;
}
