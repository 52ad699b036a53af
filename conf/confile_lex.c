/* confile_lex: the tokens of a configuration file. See confile_lex.h. */
#include "conf/confile_lex.h"

#include <stdbool.h>
#include <string.h>

static bool
at(const struct confile_lex *l, size_t pos, char c)
{
	return pos < l->len && l->text[pos] == c;
}

void
confile_lex_blank(struct confile_lex *l, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (l->text[i] != '\n')
			l->text[i] = ' ';
	}
}

static void
skip_line_comment(struct confile_lex *l)
{
	size_t from = l->pos;

	while (l->pos < l->len && l->text[l->pos] != '\n')
		l->pos++;
	confile_lex_blank(l, from, l->pos);
}

static void
skip_block_comment(struct confile_lex *l)
{
	size_t from = l->pos;
	unsigned line = l->line;

	for (l->pos += 2; l->pos < l->len; l->pos++) {
		if (l->text[l->pos] == '\n')
			l->line++;
		if (at(l, l->pos, '*') && at(l, l->pos + 1, '/')) {
			l->pos += 2;
			confile_lex_blank(l, from, l->pos);
			return;
		}
	}
	config_errors_add(l->errors, l->path, line, "comment is not closed, expected */");
	confile_lex_blank(l, from, l->pos);
}

/* Blanks, line ends and comments. */
static void
skip_space(struct confile_lex *l)
{
	while (l->pos < l->len) {
		char c = l->text[l->pos];

		if (c == '\n') {
			l->line++;
			l->pos++;
		} else if (c == ' ' || c == '\t') {
			l->pos++;
		} else if (c == '\r' && at(l, l->pos + 1, '\n')) {
			l->text[l->pos++] = ' ';
		} else if (c == '#' || (c == '/' && at(l, l->pos + 1, '/'))) {
			skip_line_comment(l);
		} else if (c == '/' && at(l, l->pos + 1, '*')) {
			skip_block_comment(l);
		} else {
			return;
		}
	}
}

/* To the end of the line: what is on it cannot be understood. */
static enum confile_token
bad_line(struct confile_lex *l)
{
	while (l->pos < l->len && l->text[l->pos] != '\n')
		l->pos++;
	confile_lex_blank(l, l->start, l->pos);
	return CONFILE_BAD;
}

static enum confile_token
lex_string(struct confile_lex *l, char quote)
{
	for (l->pos++; l->pos < l->len && l->text[l->pos] != '\n'; l->pos++) {
		char c = l->text[l->pos];

		if (c == quote) {
			l->pos++;
			return CONFILE_STRING;
		}
		if (c == '$' && quote == '"' && at(l, l->pos + 1, '{')) {
			config_errors_add(l->errors, l->path, l->line,
			    "${…} is not replaced here, write the value itself");
			return bad_line(l);
		}
		if (c != '\\')
			continue;
		l->pos++;
		if (!at(l, l->pos, quote) && !at(l, l->pos, '\\')) {
			config_errors_add(l->errors, l->path, l->line,
			    "expected %c or \\ after the \\ in a string, write \\\\ for a "
			    "backslash",
			    quote);
			return bad_line(l);
		}
	}
	config_errors_add(l->errors, l->path, l->line,
	    "string is not closed, expected %c before the end of the line", quote);
	return bad_line(l);
}

/* What ends an unquoted word. */
static bool
is_word_octet(char c)
{
	return c != '\0' && strchr(" #\"'\t\n\r={}()+,*", c) == NULL;
}

static enum confile_token
lex_word(struct confile_lex *l)
{
	while (l->pos < l->len && is_word_octet(l->text[l->pos]) &&
	       !(at(l, l->pos, '$') && at(l, l->pos + 1, '{')))
		l->pos++;
	if (l->pos > l->start)
		return CONFILE_WORD;
	config_errors_add(l->errors, l->path, l->line,
	    "unexpected %c, put the value between double quotes", l->text[l->pos]);
	return bad_line(l);
}

static enum confile_token
lex_single(struct confile_lex *l, enum confile_token token, size_t n)
{
	l->pos += n;
	return token;
}

static enum confile_token
lex_token(struct confile_lex *l)
{
	if (l->pos >= l->len)
		return CONFILE_END;
	switch (l->text[l->pos]) {
	case '{':
		return lex_single(l, CONFILE_OPEN, 1);
	case '}':
		return lex_single(l, CONFILE_CLOSE, 1);
	case '=':
		return lex_single(l, CONFILE_EQUALS, 1);
	case ',':
		return lex_single(l, CONFILE_COMMA, 1);
	case '+':
		if (at(l, l->pos + 1, '='))
			return lex_single(l, CONFILE_APPEND, 2);
		break;
	case '"':
	case '\'':
		return lex_string(l, l->text[l->pos]);
	default:
		break;
	}
	return lex_word(l);
}

enum confile_token
confile_lex_next(struct confile_lex *l)
{
	skip_space(l);
	l->start = l->pos;
	l->token_line = l->line;
	l->token = lex_token(l);
	l->end = l->pos;
	return l->token;
}

void
confile_lex_back(struct confile_lex *l)
{
	l->pos = l->start;
	l->line = l->token_line;
}

struct span
confile_lex_whole(const struct confile_lex *l)
{
	struct span s = span_make(l->text + l->start, l->end - l->start);

	return l->token == CONFILE_STRING ? span_make(s.p + 1, s.len - 2) : s;
}

struct span
confile_lex_text(const struct confile_lex *l)
{
	if (l->token == CONFILE_END)
		return span_str("the end of the file");
	return span_first(confile_lex_whole(l), 100);
}
