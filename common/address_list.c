/*
 * address_list: address lists of header fields. See address_list.h. Called by
 * sendmail_header and, for its arguments, by sendmail. Invariant: every call
 * consumes at least one octet or says that the end is reached.
 */
#include "common/address_list.h"

#include <string.h>

/* What is being read: one element of the list. */
struct element {
	struct address_list_item *item;
	bool angle;	 /* between < and > */
	bool angle_done; /* > was seen: what follows up to the comma is nobody's address */
	bool word_ended; /* white space or a comment followed a word: another word may not */
	bool bad;
};

void
address_list_init(struct address_list *l, struct span text)
{
	*l = (struct address_list){text, 0};
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Behind the comment that begins at `at`, or the end of the text; *bad if it never closes. */
static size_t
skip_comment(struct span s, size_t at, bool *bad)
{
	size_t depth = 0;

	for (; at < s.len; at++) {
		if (s.p[at] == '\\')
			at++;
		else if (s.p[at] == '(')
			depth++;
		else if (s.p[at] == ')' && --depth == 0)
			return at + 1;
	}
	*bad = true;
	return s.len;
}

/* Behind the quoted string or domain literal that begins at `at` and ends with `close`. */
static size_t
skip_quoted(struct span s, size_t at, char close, bool *bad)
{
	for (at++; at < s.len; at++) {
		if (s.p[at] == '\\')
			at++;
		else if (s.p[at] == close)
			return at + 1;
	}
	*bad = true;
	return s.len;
}

static void
forget(struct element *e)
{
	e->item->len = 0;
	e->item->qualify_at = 0;
	e->item->qualified = false;
	e->word_ended = false;
	e->bad = false;
}

/* Adds octets [from, to) of the list to the address; line ends of folding inside quotes go. */
static void
keep(struct element *e, struct span s, size_t from, size_t to)
{
	struct address_list_item *item = e->item;

	if (e->angle_done)
		return;
	for (size_t i = from; i < to; i++) {
		if (s.p[i] == '\n' || s.p[i] == '\r')
			continue;
		if (item->len == ADDRESS_LIST_TEXT_MAX) {
			e->bad = true;
			return;
		}
		item->text[item->len++] = s.p[i];
	}
	item->qualify_at = to;
}

/* A word: an atom or something quoted. Two words without a dot or an at sign between them are no address. */
static void
keep_word(struct element *e, struct span s, size_t from, size_t to)
{
	if (e->word_ended || e->angle_done)
		e->bad = true;
	e->word_ended = false;
	keep(e, s, from, to);
}

static void
keep_special(struct element *e, struct span s, size_t at)
{
	e->word_ended = false;
	if (s.p[at] == '@' && !e->angle_done)
		e->item->qualified = true;
	keep(e, s, at, at + 1);
}

static void
open_angle(struct element *e)
{
	bool again = e->angle || e->angle_done;

	forget(e); /* what stood before was the display name */
	e->angle = true;
	e->bad = again;
}

static void
close_angle(struct element *e)
{
	if (!e->angle)
		e->bad = true;
	e->angle = false;
	e->angle_done = true;
}

/* Behind the atom that begins at `at`; octets above 127 are as good as letters. */
static size_t
atom_end(struct span s, size_t at)
{
	/* The NUL that ends this string is one of the octets that end an atom. */
	static const char specials[] = "()<>[]:;@\\,.\"";

	while (at < s.len && memchr(specials, s.p[at], sizeof specials) == NULL &&
	       !is_space(s.p[at]))
		at++;
	return at;
}

/* White space or a comment: does it stand behind a word, so that no other may follow? */
static void
note_gap(struct element *e)
{
	const struct address_list_item *item = e->item;

	e->word_ended = item->len > 0 && memchr(".@:,", item->text[item->len - 1], 4) == NULL;
}

/* Reads one token at `at` into the element; returns where the next begins. */
static size_t
read_token(struct element *e, struct span s, size_t at)
{
	size_t next = at + 1;

	switch (s.p[at]) {
	case ' ':
	case '\t':
	case '\n':
	case '\r':
		note_gap(e);
		return next;
	case '(':
		next = skip_comment(s, at, &e->bad);
		note_gap(e);
		return next;
	case '"':
		next = skip_quoted(s, at, '"', &e->bad);
		keep_word(e, s, at, next);
		return next;
	case '[':
		next = skip_quoted(s, at, ']', &e->bad);
		keep_word(e, s, at, next);
		return next;
	case '<':
		open_angle(e);
		return next;
	case '>':
		close_angle(e);
		return next;
	case '.':
	case '@':
	case ',': /* within <>: the commas of a route */
	case ':':
		keep_special(e, s, at);
		return next;
	case ']':
	case ')':
	case '\\':
	case ';':
	case '\0':
		e->bad = true;
		keep(e, s, at, next);
		return next;
	default:
		next = atom_end(s, at);
		keep_word(e, s, at, next);
		return next;
	}
}

/* Does this octet end the element? A colon ends a group's name, a semicolon the group. */
static bool
ends_element(const struct element *e, char c)
{
	return !e->angle && (c == ',' || c == ';');
}

enum address_list_result
address_list_next(struct address_list *l, struct address_list_item *item)
{
	struct span s = l->text;

	while (l->at < s.len) {
		struct element e = {.item = item};

		forget(&e);
		item->begin = l->at;
		while (l->at < s.len && !ends_element(&e, s.p[l->at])) {
			if (s.p[l->at] == ':' && !e.angle && !e.angle_done && item->len > 0 &&
			    !item->qualified) {
				forget(&e); /* it was the name of a group */
				item->begin = ++l->at;
				continue;
			}
			l->at = read_token(&e, s, l->at);
		}
		item->end = l->at;
		while (item->end > item->begin && is_space(s.p[item->end - 1]))
			item->end--;
		while (item->begin < item->end && is_space(s.p[item->begin]))
			item->begin++;
		if (l->at < s.len)
			l->at++;
		item->text[item->len] = '\0';
		if (e.bad || e.angle)
			return ADDRESS_LIST_BAD;
		if (item->len > 0 || e.angle_done)
			return ADDRESS_LIST_ITEM;
	}
	return ADDRESS_LIST_END;
}
