/* reply: SMTP replies out of octets. See reply.h. */
#include "deliver/reply.h"

#include <string.h>

#include "common/limits.h"

#define LINE_KEPT_MAX 2048

void
reply_init(struct reply *r)
{
	*r = (struct reply){0};
	buf_init(&r->text, REMOTE_REPLY_MAX);
	buf_init(&r->line, LINE_KEPT_MAX);
}

void
reply_release(struct reply *r)
{
	buf_release(&r->text);
	buf_release(&r->line);
}

void
reply_clear(struct reply *r)
{
	buf_clear(&r->text);
	buf_clear(&r->line);
	r->code = 0;
	r->lines = 0;
	r->octets = 0;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The code a line begins with, or -1; *last tells whether it ends the reply, *text what follows. */
static int
parse_line(struct span line, bool *last, struct span *text)
{
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (line.len < 3 || line.p[0] < '2' || line.p[0] > '5' || !is_digit(line.p[1]) ||
	    !is_digit(line.p[2]))
		return -1;
	if (line.len > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return -1;
	*last = line.len == 3 || line.p[3] == ' ';
	*text = span_skip(line, 4);
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
}

static enum reply_state
end_line(struct reply *r)
{
	struct span text;
	bool last;
	int code = parse_line(buf_span(&r->line), &last, &text);

	if (code < 0 || (r->lines > 0 && code != r->code) || r->lines == REMOTE_REPLY_LINES_MAX)
		return REPLY_BAD;
	r->code = code;
	if (r->lines++ > 0 && r->text.len < r->text.max)
		buf_add_char(&r->text, '\n');
	buf_add_span(&r->text, span_first(text, r->text.max - r->text.len));
	buf_clear(&r->line);
	return last ? REPLY_DONE : REPLY_MORE;
}

enum reply_state
reply_feed(struct reply *r, struct span *in)
{
	while (in->len > 0) {
		ptrdiff_t lf = span_index(*in, '\n');
		size_t n = lf >= 0 ? (size_t)lf : in->len;
		enum reply_state state;

		r->octets += lf >= 0 ? n + 1 : n;
		if (r->octets > REPLY_OCTETS_MAX)
			return REPLY_BAD;
		buf_add_span(
		    &r->line, span_first(span_first(*in, n), r->line.max - r->line.len));
		*in = span_skip(*in, lf >= 0 ? n + 1 : n);
		if (lf < 0)
			return REPLY_MORE;
		state = end_line(r);
		if (state != REPLY_MORE)
			return state;
	}
	return REPLY_MORE;
}

int
reply_class(const struct reply *r)
{
	return r->code / 100;
}

/* The enhanced status a line begins with, taken off it; empty if there is none. */
static struct span
cut_status(struct span *line)
{
	struct span rest = *line, status = span_cut(&rest, ' ');

	if (!verdict_status_valid(status))
		return span_make(line->p, 0);
	*line = rest.p != NULL ? rest : span_make(NULL, 0);
	return status;
}

void
reply_verdict(const struct reply *r, struct verdict *v)
{
	static const enum verdict_kind kinds[] = {[2] = VERDICT_OK,
	    [3] = VERDICT_OK,
	    [4] = VERDICT_TEMPORARY,
	    [5] = VERDICT_PERMANENT};
	struct span rest = buf_span(&r->text), first = {NULL, 0};
	struct buf text;

	buf_init(&text, REMOTE_REPLY_MAX);
	for (unsigned i = 0; i < r->lines && rest.p != NULL; i++) {
		struct span line = span_cut(&rest, '\n'), status = cut_status(&line);

		if (i == 0)
			first = status;
		if (text.len > 0 && line.len > 0)
			buf_add_char(&text, ' ');
		buf_add_span(&text, line);
	}
	verdict_set_parts(v, kinds[reply_class(r)], r->code, first, buf_span(&text));
	buf_release(&text);
}
