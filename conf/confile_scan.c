/*
 * confile_scan: the pass before libconfuse. See confile_scan.h. A statement that
 * is wrong anywhere is reported and blanked as a whole, and the scan goes on
 * behind it, so that one slip of the pen gives one complaint.
 */
#include "conf/confile_scan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "common/xalloc.h"
#include "conf/confile_lex.h"
#include "conf/confile_nearest.h"

/* Sections with the same key and different titles in one file. */
#define TITLED_MAX 10000

/* A title with its quotes: a domain name and what marks it. */
#define TITLE_MAX 280

/* A key that was given: to tell a second one. */
struct given {
	const struct confile_key *section, *key;
	unsigned instance; /* of the section that holds it */
	unsigned line;
	unsigned values;
	unsigned instance_of; /* of a section: its own number among those with this key */
	struct span title;    /* of a titled section */
};

struct scan {
	struct confile_lex lex;
	struct confile_scan *out;
	const struct confile_key *top;
	size_t ntop;
	struct given *given;
	size_t ngiven;

	/* where we are */
	const struct confile_key *section;
	unsigned instance;
};

static void
complain_found(struct scan *s, const char *expected)
{
	struct span found = confile_lex_text(&s->lex);

	if (s->lex.token != CONFILE_BAD)
		config_errors_add(s->lex.errors, s->lex.path, s->lex.token_line,
		    "expected %s, found %.*s", expected, SPAN_ARG(found));
}

static void
add_place(struct scan *s, const struct confile_place *place)
{
	struct confile_scan *o = s->out;

	/* Grown by powers of two, whose end the length itself tells. */
	if ((o->nplaces & (o->nplaces - 1)) == 0)
		o->places = xreallocarray(
		    o->places, o->nplaces > 0 ? 2 * o->nplaces : 1, sizeof *o->places);
	o->places[o->nplaces++] = *place;
}

static void
add_value(struct scan *s, const struct confile_key *key, struct given *g)
{
	add_place(s, &(struct confile_place){
			 s->section, key, s->instance, g->values++, s->lex.token_line});
}

/* The earlier statement for this key (and title) in the same section, or NULL. */
static struct given *
find_given(struct scan *s, const struct confile_key *key, struct span title)
{
	for (size_t i = 0; i < s->ngiven; i++) {
		struct given *g = &s->given[i];

		if (g->section == s->section && g->key == key && g->instance == s->instance &&
		    (key->shape != CONFILE_TITLED || span_eq(g->title, title)))
			return g;
	}
	return NULL;
}

static struct given *
add_given(struct scan *s, const struct confile_key *key, struct span title, unsigned line)
{
	s->given = xreallocarray(s->given, s->ngiven + 1, sizeof *s->given);
	s->given[s->ngiven] = (struct given){.section = s->section,
	    .key = key,
	    .instance = s->instance,
	    .line = line,
	    .title = title};
	return &s->given[s->ngiven++];
}

/* How many sections with this key there were. */
static unsigned
count_given(const struct scan *s, const struct confile_key *key)
{
	for (size_t i = s->ngiven; i > 0; i--) {
		if (s->given[i - 1].section == NULL && s->given[i - 1].key == key)
			return s->given[i - 1].instance_of + 1;
	}
	return 0;
}

/* Behind the brace that closes the one just read. */
static void
skip_braces(struct scan *s)
{
	unsigned depth = 1, line = s->lex.token_line;

	while (depth > 0) {
		switch (confile_lex_next(&s->lex)) {
		case CONFILE_OPEN:
			depth++;
			break;
		case CONFILE_CLOSE:
			depth--;
			break;
		case CONFILE_END:
			config_errors_add(s->lex.errors, s->lex.path, line,
			    "{ is not closed, expected } before the end of the file");
			return;
		default:
			break;
		}
	}
}

/* Behind a statement that is of no use, the present token being the one behind its key. */
static void
skip_statement(struct scan *s, unsigned key_line)
{
	struct confile_lex *l = &s->lex;

	if (l->token == CONFILE_EQUALS || l->token == CONFILE_APPEND)
		confile_lex_next(l);
	else if ((l->token == CONFILE_WORD || l->token == CONFILE_STRING) &&
		 l->token_line == key_line && confile_lex_next(l) != CONFILE_OPEN) {
		confile_lex_back(l);
		return;
	}
	if (l->token == CONFILE_OPEN)
		skip_braces(s);
	else if (l->token_line != key_line || l->token == CONFILE_CLOSE)
		confile_lex_back(l);
}

static const struct confile_key *
find_key(struct span name, const struct confile_key *keys, size_t nkeys)
{
	for (size_t i = 0; i < nkeys; i++) {
		if (span_is(name, keys[i].name))
			return &keys[i];
	}
	return NULL;
}

/* What could have been meant by a key nobody knows here. */
static void
complain_unknown(struct scan *s, struct span name)
{
	const struct confile_key *keys = s->section != NULL ? s->section->keys : s->top;
	size_t nkeys = s->section != NULL ? s->section->nkeys : s->ntop;
	const char *near = confile_nearest(name, keys, nkeys);
	const struct confile_key *home = NULL;
	const struct confile_key *top = find_key(name, s->top, s->ntop);

	for (size_t i = 0; i < s->ntop && home == NULL; i++) {
		if (find_key(name, s->top[i].keys, s->top[i].nkeys) != NULL)
			home = &s->top[i];
	}
	if (top != NULL && top->shape == CONFILE_DOMAIN)
		config_errors_add(s->lex.errors, s->lex.path, s->lex.token_line,
		    "%.*s belongs into etc/domain.conf in the directory of a domain",
		    SPAN_ARG(name));
	else if (s->section != NULL && top != NULL)
		config_errors_add(s->lex.errors, s->lex.path, s->lex.token_line,
		    "%.*s does not belong into %s { }, expected it outside", SPAN_ARG(name),
		    s->section->name);
	else if (home != NULL && home != s->section)
		config_errors_add(s->lex.errors, s->lex.path, s->lex.token_line,
		    "%.*s belongs into %s { }", SPAN_ARG(name), home->name);
	else if (near != NULL)
		config_errors_add(s->lex.errors, s->lex.path, s->lex.token_line,
		    "unknown key %.*s, did you mean %s?", SPAN_ARG(name), near);
	else
		config_errors_add(s->lex.errors, s->lex.path, s->lex.token_line,
		    "unknown key %.*s", SPAN_ARG(name));
}

/*
 * Behind a list in which something is wrong: behind its closing brace or, if what looks like the
 * next statement comes first, before that. Says whether there was a brace.
 */
static bool
skip_list(struct scan *s)
{
	struct confile_lex *l = &s->lex, before = *l, last;

	for (;;) {
		last = *l;
		switch (confile_lex_next(l)) {
		case CONFILE_CLOSE:
			return true;
		case CONFILE_END:
			return false;
		case CONFILE_EQUALS:
		case CONFILE_APPEND:
		case CONFILE_OPEN:
			if (last.token == CONFILE_STRING)
				last = before;
			if (last.token == CONFILE_WORD) {
				*l = last;
				confile_lex_back(l);
				return false;
			}
			break;
		default:
			before = last;
			break;
		}
	}
}

/* { value, … } behind its brace. -1 if the statement is of no use. */
static int
scan_list(struct scan *s, const struct confile_key *key, struct given *g)
{
	struct confile_lex *l = &s->lex, again, wrong;
	unsigned line = l->token_line, n = g->values;
	size_t before = s->out->nplaces;

	while (confile_lex_next(l) == CONFILE_WORD || l->token == CONFILE_STRING) {
		again = *l;
		add_value(s, key, g);
		if (confile_lex_next(l) != CONFILE_COMMA)
			break;
	}
	if (l->token == CONFILE_CLOSE)
		return 0;
	/* What was taken for the last value may be the key of the next statement, the brace missing. */
	wrong = *l;
	if (g->values > n)
		*l = again;
	confile_lex_back(l);
	if (skip_list(s) && wrong.token != CONFILE_BAD)
		config_errors_add(l->errors, l->path, wrong.token_line,
		    "expected a value, a comma or }, found %.*s",
		    SPAN_ARG(confile_lex_text(&wrong)));
	else if (wrong.token != CONFILE_BAD)
		config_errors_add(l->errors, l->path, line,
		    "list is not closed, expected } behind the last value of %s", key->name);
	s->out->nplaces = before;
	return -1;
}

/* A comma behind a value that has no braces around it: told, and then the rest of the line is of no use. */
static bool
has_comma(struct scan *s, const struct confile_key *key, unsigned key_line)
{
	struct confile_lex *l = &s->lex, ahead = *l;

	ahead.errors = NULL;
	if (confile_lex_next(&ahead) != CONFILE_COMMA || ahead.token_line != key_line)
		return false;
	config_errors_add(l->errors, l->path, key_line,
	    key->shape == CONFILE_LIST
		? "expected braces around several values: %s = { value, value }"
		: "expected one value for %s, and a blank or a line end behind it, found ,",
	    key->name);
	while (confile_lex_next(l) != CONFILE_END && l->token != CONFILE_CLOSE &&
	       l->token_line == key_line)
		;
	confile_lex_back(l);
	return true;
}

/* What follows the key of a value or a list. */
static int
scan_value(struct scan *s, const struct confile_key *key, unsigned key_line)
{
	struct confile_lex *l = &s->lex;
	struct given *g = find_given(s, key, span_str(""));
	bool append = l->token == CONFILE_APPEND && key->shape == CONFILE_LIST;

	if (l->token != CONFILE_EQUALS && !append) {
		complain_found(s, key->shape == CONFILE_LIST
				      ? "= { values } after the list's name"
				      : "= after the key");
		skip_statement(s, key_line);
		return -1;
	}
	if (g != NULL && !append) {
		config_errors_add(l->errors, l->path, key_line,
		    "%s is given twice, first on line %u; expected it once", key->name,
		    g->line);
		skip_statement(s, key_line);
		return -1;
	}
	if (g == NULL)
		g = add_given(s, key, span_str(""), key_line);
	confile_lex_next(l);
	if (l->token == CONFILE_OPEN && key->shape == CONFILE_LIST)
		return scan_list(s, key, g);
	if (l->token_line == key_line && l->token == CONFILE_OPEN) {
		complain_found(s, "one value");
		skip_list(s);
		return -1;
	}
	if (l->token_line == key_line &&
	    (l->token == CONFILE_WORD || l->token == CONFILE_STRING)) {
		if (has_comma(s, key, key_line))
			return -1;
		add_value(s, key, g);
		return 0;
	}
	if (l->token != CONFILE_BAD) {
		config_errors_add(
		    l->errors, l->path, key_line, "expected a value after %s =", key->name);
		confile_lex_back(l);
	}
	return -1;
}

static void scan_body(struct scan *s);

static int
scan_section(struct scan *s, const struct confile_key *key, unsigned key_line)
{
	struct confile_lex *l = &s->lex;
	struct span title = span_str("");
	struct given *g;
	unsigned instance;
	size_t outside;

	if (key->shape == CONFILE_TITLED) {
		if (l->token != CONFILE_STRING && l->token != CONFILE_WORD) {
			complain_found(s, "a name between double quotes");
			skip_statement(s, key_line);
			return -1;
		}
		title = confile_lex_whole(l);
		if (span_index(title, '\\') >= 0 || l->end - l->start > TITLE_MAX) {
			complain_found(s, "a short name without \\");
			confile_lex_next(l);
			skip_statement(s, key_line);
			return -1;
		}
		confile_lex_next(l);
	}
	if (l->token != CONFILE_OPEN) {
		complain_found(s, "{");
		skip_statement(s, key_line);
		return -1;
	}
	g = find_given(s, key, title);
	if (g != NULL) {
		config_errors_add(l->errors, l->path, key_line,
		    "%s%s%.*s is given twice, first on line %u; expected it once", key->name,
		    title.len > 0 ? " " : "", SPAN_ARG(title), g->line);
		skip_braces(s);
		return -1;
	}
	instance = count_given(s, key);
	if (instance >= TITLED_MAX) {
		config_errors_add(l->errors, l->path, key_line,
		    "expected at most %d times %s { }", TITLED_MAX, key->name);
		skip_braces(s);
		return -1;
	}
	add_given(s, key, title, key_line)->instance_of = instance;
	add_place(s, &(struct confile_place){key, NULL, instance, 0, key_line});
	s->section = key;
	s->instance = instance;
	outside = s->ngiven;
	scan_body(s);
	s->ngiven = outside; /* what was given in there is nobody's business any more */
	s->section = NULL;
	s->instance = 0;
	return 0;
}

/* One statement, the present token being its key. */
static void
scan_statement(struct scan *s)
{
	struct confile_lex *l = &s->lex;
	const struct confile_key *keys = s->section != NULL ? s->section->keys : s->top;
	size_t nkeys = s->section != NULL ? s->section->nkeys : s->ntop;
	size_t start = l->start;
	unsigned line = l->token_line;
	const struct confile_key *key;
	int r;

	key = find_key(confile_lex_text(l), keys, nkeys);
	if (key != NULL && key->shape == CONFILE_DOMAIN)
		key = NULL;
	if (key == NULL)
		complain_unknown(s, confile_lex_text(l));
	confile_lex_next(l);
	if (key == NULL) {
		skip_statement(s, line);
		r = -1;
	} else if (key->shape == CONFILE_VALUE || key->shape == CONFILE_LIST) {
		r = scan_value(s, key, line);
	} else {
		r = scan_section(s, key, line);
	}
	if (r != 0)
		confile_lex_blank(l, start, l->pos);
}

/* The statements of the file, or of the section whose brace was read. */
static void
scan_body(struct scan *s)
{
	struct confile_lex *l = &s->lex;
	unsigned line = l->token_line;

	for (;;) {
		switch (confile_lex_next(l)) {
		case CONFILE_WORD:
			scan_statement(s);
			break;
		case CONFILE_END:
			if (s->section != NULL)
				config_errors_add(l->errors, l->path, line,
				    "%s { is not closed, expected } before the end of the file",
				    s->section->name);
			return;
		case CONFILE_CLOSE:
			if (s->section != NULL)
				return;
			/* FALLTHROUGH */
		default:
			complain_found(s, "a key");
			confile_lex_blank(l, l->start, l->pos);
			break;
		}
	}
}

/* Octets that have no business in a text file; all of them, once a line. */
static void
check_octets(struct scan *s)
{
	struct confile_lex *l = &s->lex;
	unsigned line = 1, last = 0;

	for (size_t i = 0; i < l->len;) {
		unsigned char c = (unsigned char)l->text[i];
		size_t n = utf8_char(span_make(l->text + i, l->len - i), NULL);
		bool odd = n == 0 || (c < 0x20 && c != '\n' && c != '\t' && c != '\r') ||
			   c == 0x7f ||
			   (c == '\r' && (i + 1 == l->len || l->text[i + 1] != '\n'));

		if (odd) {
			if (line != last)
				config_errors_add(l->errors, l->path, line,
				    "octet 0x%02x, expected text in UTF-8", c);
			last = line;
			l->text[i] = ' ';
		}
		line += c == '\n';
		i += n > 0 ? n : 1;
	}
}

void
confile_scan(struct confile_scan *out, struct span text, const char *path,
    const struct confile_key *keys, size_t nkeys, struct config_errors *errors)
{
	struct scan s = {.out = out, .top = keys, .ntop = nkeys};

	*out = (struct confile_scan){.text = xspandup(text)};
	s.lex = (struct confile_lex){
	    .text = out->text, .len = text.len, .line = 1, .path = path, .errors = errors};
	if (span_starts_with(text, "\xef\xbb\xbf"))
		confile_lex_blank(&s.lex, 0, 3);
	check_octets(&s);
	scan_body(&s);
	free(s.given);
}

void
confile_scan_release(struct confile_scan *s)
{
	free(s->text);
	free(s->places);
	*s = (struct confile_scan){NULL, NULL, 0};
}
