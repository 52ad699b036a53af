/*
 * confile_lex: the tokens of a configuration file, by libconfuse's rules where
 * they are sane and stricter where not: a string ends on its line, a backslash
 * in it stands before a quote or a backslash only, and nothing is replaced from
 * the environment. Comments are blanked as they are met. Pure.
 */
#ifndef CONF_CONFILE_LEX_H
#define CONF_CONFILE_LEX_H

#include <stddef.h>

#include "common/span.h"
#include "conf/config_errors.h"

enum confile_token {
	CONFILE_END,	/* of the file */
	CONFILE_WORD,	/* unquoted */
	CONFILE_STRING, /* quoted */
	CONFILE_OPEN,	/* { */
	CONFILE_CLOSE,	/* } */
	CONFILE_EQUALS, /* = */
	CONFILE_APPEND, /* += */
	CONFILE_COMMA,
	CONFILE_BAD, /* reported already */
};

struct confile_lex {
	char *text; /* written to: comments become blanks */
	size_t len, pos;
	unsigned line;
	const char *path;
	struct config_errors *errors;

	/* the token that confile_lex_next found */
	enum confile_token token;
	size_t start, end;   /* where it stands in text */
	unsigned token_line; /* and on which line */
};

/* Moves to the next token and returns it. */
enum confile_token confile_lex_next(struct confile_lex *l);

/* The token's octets, without quotes, escapes not undone: all of it, and what a message shows of it. */
struct span confile_lex_whole(const struct confile_lex *l);
struct span confile_lex_text(const struct confile_lex *l);

/* The next token is the present one again. */
void confile_lex_back(struct confile_lex *l);

/* Overwrites [from, to) with blanks, line ends stay. */
void confile_lex_blank(struct confile_lex *l, size_t from, size_t to);

#endif
