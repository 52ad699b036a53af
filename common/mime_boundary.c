/*
 * mime_boundary: boundaries of a multipart. See mime_boundary.h. Called by mime_scan. Besides each reading of the
 * parameter, whatever stands behind the word and an equals sign is one.
 */
#include "common/mime_boundary.h"

#include <string.h>

#include "common/mime_field.h"
#include "common/mime_param.h"

static const char word[] = "boundary";

/* White space and comments between the word and what it is equal to. */
#define BLANK_MAX 256

/* The first of a list, its hyphens in front; *list is moved behind it. */
static struct span
take_first(struct span *list)
{
	size_t n = (unsigned char)list->p[0];
	struct span one = {list->p + 1, n};

	*list = (struct span){one.p + n, list->len - 1 - n};
	return one;
}

/* White space at the end of a boundary is no part of it; in front it is (RFC 2046 5.1.1). */
static struct span
trim_end(struct span s)
{
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static unsigned
add_one(struct buf *list, struct span boundary)
{
	struct span rest = buf_span(list);
	unsigned n = 0;

	boundary = trim_end(boundary);
	if (boundary.len == 0)
		return 0;
	if (boundary.len > MIME_BOUNDARY_MAX)
		return MIME_BOUNDARY_LONG;
	for (; rest.len > 0; n++)
		if (span_eq(span_skip(take_first(&rest), 2), boundary))
			return 0;
	if (n == MIME_BOUNDARIES_MAX)
		return MIME_BOUNDARY_MANY;
	buf_add_char(list, (char)(boundary.len + 2));
	buf_add_str(list, "--");
	buf_add_span(list, boundary);
	return 0;
}

/* Some take what stands in angle brackets for quoted. */
static unsigned
add(struct buf *list, struct span boundary)
{
	unsigned notes = add_one(list, boundary);

	if (boundary.len > 2 && boundary.p[0] == '<' && boundary.p[boundary.len - 1] == '>')
		notes |= add_one(list, span_make(boundary.p + 1, boundary.len - 2));
	return notes;
}

struct found {
	struct buf *list;
	unsigned notes;
};

static void
on_reading(enum mime_param_form form, struct span value, struct span charset, void *arg)
{
	struct found *f = arg;

	(void)form, (void)charset;
	f->notes |= add(f->list, value);
}

static unsigned
add_params(struct span value, struct buf *list)
{
	struct found f = {.list = list};
	struct span rest;

	(void)mime_value_type(value, &rest);
	mime_param_readings(rest, word, on_reading, &f);
	return f.notes;
}

/* What stands behind the word, perhaps, and an equals sign. Stops at what is left out, which bounds what a field costs. */
static unsigned
add_any(struct span value, struct buf *list)
{
	unsigned notes = 0;
	struct buf text;

	buf_init(&text, MIME_BOUNDARY_MAX + 1);
	while (notes == 0 && value.len > strlen(word)) {
		struct span at = span_first(value, strlen(word) + BLANK_MAX), blank = at;

		if (!span_starts_with_nocase(at, word)) {
			value = span_skip(value, 1);
			continue;
		}
		value = span_skip(value, strlen(word));
		blank = span_skip(at, strlen(word));
		mime_skip_blank(&blank);
		if (blank.len == 0 || blank.p[0] != '=')
			continue;
		blank = span_skip(blank, 1);
		mime_skip_blank(&blank);
		at = span_make(blank.p, (size_t)(value.p + value.len - blank.p));
		buf_clear(&text);
		mime_take_value(&at, &text);
		notes |= add(list, buf_span(&text));
	}
	buf_release(&text);
	return notes;
}

unsigned
mime_boundary_list(struct span value, struct buf *list)
{
	return add_params(value, list) | add_any(value, list);
}

/* Of a long message each line may be asked about, at each level: most are told apart without a call. */
size_t
mime_boundary_match(struct span list, struct span line)
{
	size_t longest = 0;

	while (list.len > 0) {
		struct span one = take_first(&list);

		if (one.len > longest && one.len <= line.len && one.p[2] == line.p[2] &&
		    memcmp(one.p, line.p, one.len) == 0)
			longest = one.len;
	}
	return longest;
}

bool
mime_boundary_list_has_several(struct span list)
{
	if (list.len > 0)
		(void)take_first(&list);
	return list.len > 0;
}
