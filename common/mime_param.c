/* mime_param: parameters, in every way they can be read. See mime_param.h. Called by mime_boundary and mime_decode. */
#include "common/mime_param.h"

#include <stdint.h>
#include <stdlib.h>

#include "common/mime_field.h"
#include "common/xalloc.h"

/* A charset is no longer. */
#define CHARSET_MAX 100

/* To the octet behind the next semicolon, which may not stand in quotes; nor in comments, if there are any. */
static void
skip_to_param(struct span *s, bool comments)
{
	bool quoted = false;
	size_t i = 0;

	for (; i < s->len && (quoted || s->p[i] != ';'); i++) {
		struct span rest = span_skip(*s, i);

		if (quoted && s->p[i] == '\\') {
			i++;
		} else if (s->p[i] == '"') {
			quoted = !quoted;
		} else if (comments && !quoted && s->p[i] == '(') {
			mime_skip_blank(&rest);
			i = (size_t)(rest.p - s->p) - 1;
		}
	}
	*s = span_skip(*s, i + 1);
}

/* The next parameter's name, and what begins with its value. */
static bool
next_param(struct span *rest, bool comments, struct span *name, struct span *at)
{
	while (rest->len > 0) {
		size_t n = 0;

		skip_to_param(rest, comments);
		mime_skip_blank(rest);
		while (n < rest->len && rest->p[n] != '=' && rest->p[n] != ';' &&
		       !(comments && rest->p[n] == '('))
			n++;
		*name = span_trim(span_first(*rest, n));
		*rest = span_skip(*rest, n);
		if (comments)
			mime_skip_blank(rest);
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

/* One that has the name. */
struct one {
	enum mime_param_form form;
	bool coded;
	uint64_t number; /* of a piece */
	struct span at;	 /* what begins with its value */
};

struct list {
	struct one *v;
	size_t n, cap;
};

/* What stands behind the name: "", "*", "*2", "*2*". A number of any size is one. */
static bool
parse_suffix(struct span suffix, struct one *one)
{
	*one = (struct one){.form = MIME_PARAM_PLAIN};
	if (suffix.len == 0)
		return true;
	if (suffix.p[0] != '*')
		return false;
	suffix = span_skip(suffix, 1);
	one->form = suffix.len > 0 ? MIME_PARAM_PIECES : MIME_PARAM_CODED;
	one->coded = suffix.len == 0 || suffix.p[suffix.len - 1] == '*';
	if (suffix.len > 0 && one->coded)
		suffix.len--;
	if (one->form == MIME_PARAM_CODED)
		return true;
	for (size_t i = 0; i < suffix.len; i++)
		if (suffix.p[i] < '0' || suffix.p[i] > '9')
			return false;
	if (span_to_u64(suffix, UINT64_MAX, &one->number) != 0)
		one->number = UINT64_MAX;
	return suffix.len > 0;
}

static void
collect(struct list *l, struct span rest, const char *name, bool comments)
{
	struct span word;
	struct one one;

	for (struct span at; next_param(&rest, comments, &word, &at);) {
		if (!span_starts_with_nocase(word, name) ||
		    !parse_suffix(span_skip(word, span_str(name).len), &one))
			continue;
		one.at = at;
		if (l->n == l->cap) {
			l->cap = l->cap > 0 ? 2 * l->cap : 4;
			l->v = xreallocarray(l->v, l->cap, sizeof *l->v);
		}
		l->v[l->n++] = one;
	}
}

/* By form, number, and where they stand. */
static int
compare(const void *pa, const void *pb)
{
	const struct one *a = pa, *b = pb;

	if (a->form != b->form)
		return a->form < b->form ? -1 : 1;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a->at.p < b->at.p ? -1 : a->at.p > b->at.p;
}

/* In order, and what was found both ways once. */
static void
arrange(struct list *l)
{
	size_t n = 0;

	if (l->n > 1)
		qsort(l->v, l->n, sizeof *l->v, compare);
	for (size_t i = 0; i < l->n; i++)
		if (n == 0 || l->v[i].form != l->v[n - 1].form ||
		    l->v[i].at.p != l->v[n - 1].at.p)
			l->v[n++] = l->v[i];
	l->n = n;
}

/* --- one reading --- */

struct reading {
	mime_param_fn *fn;
	void *arg;
	struct buf value, charset;
	bool any;
};

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

/* One piece behind what is there; in front of the first coded one stands charset'language'. */
static void
add_piece(struct reading *r, const struct one *one)
{
	struct span at = one->at, s;
	struct buf piece;

	if (!one->coded) {
		mime_take_value(&at, &r->value);
		r->any = true;
		return;
	}
	buf_init(&piece, at.len + 1);
	mime_take_value(&at, &piece);
	s = buf_span(&piece);
	if (!r->any && span_index(s, '\'') >= 0) {
		buf_add_span(&r->charset, span_first(span_cut(&s, '\''), CHARSET_MAX));
		if (span_index(s, '\'') >= 0)
			(void)span_cut(&s, '\'');
	}
	add_percent(&r->value, s);
	r->any = true;
	buf_release(&piece);
}

static void
end_reading(struct reading *r, enum mime_param_form form)
{
	if (r->any)
		r->fn(form, buf_span(&r->value), buf_span(&r->charset), r->arg);
	buf_clear(&r->value);
	buf_clear(&r->charset);
	r->any = false;
}

static void
read_one(struct reading *r, const struct one *one)
{
	add_piece(r, one);
	end_reading(r, one->form);
}

/* From 0 to the first gap, of those that are alike the first or the last. */
static void
read_in_turn(struct reading *r, const struct one *v, size_t n, bool last)
{
	uint64_t next = 0;

	for (size_t i = 0; i < n && v[i].number <= next; i++) {
		bool alike = last ? i + 1 < n && v[i + 1].number == v[i].number
				  : i > 0 && v[i - 1].number == v[i].number;

		if (!alike)
			add_piece(r, &v[i]);
		next = v[i].number + 1;
	}
	end_reading(r, MIME_PARAM_PIECES);
}

static void
read_pieces(struct reading *r, const struct one *v, size_t n)
{
	bool in_turn = true, once = true;

	for (size_t i = 0; i < n; i++) {
		in_turn = in_turn && v[i].number == i;
		once = once && (i == 0 || v[i].number != v[i - 1].number);
	}
	read_in_turn(r, v, n, false);
	if (!in_turn) {
		for (size_t i = 0; i < n; i++)
			add_piece(r, &v[i]);
		end_reading(r, MIME_PARAM_PIECES);
	}
	if (!once)
		read_in_turn(r, v, n, true);
}

void
mime_param_readings(struct span rest, const char *name, mime_param_fn *fn, void *arg)
{
	struct reading r = {.fn = fn, .arg = arg};
	struct list l = {.v = NULL};
	size_t at = 0, n;

	collect(&l, rest, name, false);
	if (span_index(rest, '(') >= 0)
		collect(&l, rest, name, true);
	arrange(&l);
	buf_init(&r.value, rest.len + 1);
	buf_init(&r.charset, CHARSET_MAX);
	for (; at < l.n && l.v[at].form == MIME_PARAM_PLAIN; at++)
		read_one(&r, &l.v[at]);
	for (n = at; n < l.n && l.v[n].form == MIME_PARAM_CODED; n++)
		if (n == at || n + 1 == l.n || l.v[n + 1].form != MIME_PARAM_CODED)
			read_one(&r, &l.v[n]);
	if (n < l.n)
		read_pieces(&r, l.v + n, l.n - n);
	buf_release(&r.value);
	buf_release(&r.charset);
	free(l.v);
}
