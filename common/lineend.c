/*
 * lineend: line ends and dots, in every direction. See lineend.h.
 *
 * Each direction is a small machine over the octets that mean something (CR,
 * LF, a dot at the beginning of a line); everything between two of them is
 * copied as one run. Invariant: an octet leaves *in only together with what it
 * puts into out, so that stopping at a full buffer loses and doubles nothing.
 */
#include "common/lineend.h"

#include <stdint.h>
#include <string.h>

static size_t
room(const struct buf *out)
{
	return out->max - out->len;
}

/* Non-zero if one of the eight octets of x is c. */
static uint64_t
holds(uint64_t x, unsigned char c)
{
	const uint64_t ones = UINT64_MAX / 255;

	x ^= ones * c;
	return (x - ones) & ~x & (ones * 0x80);
}

/*
 * How many octets in front of the first CR or LF stand at the beginning of in.
 * One look for both, and not memchr for each: where only the other one stands
 * that would scan all the rest again for every short line.
 */
static size_t
run_length(struct span in)
{
	size_t n = 0;
	uint64_t eight;

	for (; in.len - n >= sizeof eight; n += sizeof eight) {
		memcpy(&eight, in.p + n, sizeof eight);
		if ((holds(eight, '\r') | holds(eight, '\n')) != 0)
			break;
	}
	while (n < in.len && in.p[n] != '\r' && in.p[n] != '\n')
		n++;
	return n;
}

static void
advance(struct span *in, size_t n)
{
	in->p += n;
	in->len -= n;
}

/* Moves n octets from *in to out, as many as there is room for; false if that was not all. */
static bool
move_run(struct span *in, size_t n, struct buf *out)
{
	size_t fits = n < room(out) ? n : room(out);

	buf_add(out, in->p, fits);
	advance(in, fits);
	return fits == n;
}

/* The same where content is dropped once a bare CR or LF was seen. */
static bool
take_run(struct span *in, size_t n, struct buf *out, bool drop)
{
	if (!drop)
		return move_run(in, n, out);
	advance(in, n);
	return true;
}

/* One octet of output; false if there is no room. */
static bool
put(struct buf *out, char c, bool drop)
{
	return drop || buf_add_char(out, c) == 0;
}

void
eod_init(struct eod *e)
{
	*e = (struct eod){.state = EOD_LINE_START};
}

/* Text within a line up to CR or LF; then a bare LF, or a CR to keep back. */
static bool
eod_text(struct eod *e, struct span *in, struct buf *out)
{
	size_t n = run_length(*in);

	e->state = EOD_TEXT;
	if (n > 0 && !take_run(in, n, out, e->bare))
		return false;
	if (in->len == 0)
		return true;
	if (in->p[0] == '\n') {
		e->bare = true;
		advance(in, 1);
	} else if (in->p[0] == '\r') {
		e->state = EOD_CR;
		advance(in, 1);
	}
	return true;
}

/* The octet after a CR: LF ends the line, anything else means the CR was bare and is looked at anew. */
static bool
eod_after_cr(struct eod *e, struct span *in, struct buf *out)
{
	if (in->p[0] != '\n') {
		e->bare = true;
		e->state = EOD_TEXT;
		return true;
	}
	if (!put(out, '\n', e->bare))
		return false;
	e->state = EOD_LINE_START;
	advance(in, 1);
	return true;
}

bool
eod_feed(struct eod *e, struct span *in, struct buf *out)
{
	bool fits = true;

	while (fits && in->len > 0 && e->state != EOD_DONE) {
		switch (e->state) {
		case EOD_LINE_START:
			if (in->p[0] == '.') {
				e->state = EOD_DOT;
				advance(in, 1);
				break;
			}
			/* FALLTHROUGH */
		case EOD_TEXT:
			fits = eod_text(e, in, out);
			break;
		case EOD_CR:
			fits = eod_after_cr(e, in, out);
			break;
		case EOD_DOT: /* not the end: the dot was stuffed and goes (RFC 5321 4.5.2) */
			e->state = EOD_TEXT;
			if (in->p[0] == '\r') {
				e->state = EOD_DOT_CR;
				advance(in, 1);
			}
			break;
		case EOD_DOT_CR:
			if (in->p[0] == '\n') {
				e->state = EOD_DONE;
				advance(in, 1);
			} else {
				e->bare = true;
				e->state = EOD_TEXT;
			}
			break;
		case EOD_DONE:
			break;
		}
	}
	return fits;
}

void
chunk_init(struct chunk_end *c)
{
	*c = (struct chunk_end){.cr = false};
}

bool
chunk_feed(struct chunk_end *c, struct span *in, struct buf *out)
{
	while (in->len > 0) {
		if (c->cr && in->p[0] == '\n') {
			if (!put(out, '\n', c->bare))
				return false;
			advance(in, 1);
		} else if (c->cr) {
			c->bare = true;
		} else if (in->p[0] == '\n') {
			c->bare = true;
			advance(in, 1);
		}
		c->cr = false;
		if (in->len > 0 && !take_run(in, run_length(*in), out, c->bare))
			return false;
		if (in->len > 0 && in->p[0] == '\r') {
			c->cr = true;
			advance(in, 1);
		}
	}
	return true;
}

void
chunk_finish(struct chunk_end *c)
{
	if (c->cr)
		c->bare = true;
	c->cr = false;
}

void
wire_end_init(struct wire_end *w)
{
	*w = (struct wire_end){.line_start = true};
}

bool
wire_end_feed(struct wire_end *w, struct span *in, struct buf *out)
{
	while (in->len > 0) {
		char c = in->p[0];

		if (c == '\n' && w->cr) {
			w->cr = false;
			advance(in, 1);
		} else if (c == '\n' || c == '\r') {
			if (room(out) < 2)
				return false;
			buf_add(out, "\r\n", 2);
			w->line_start = true;
			w->cr = c == '\r';
			advance(in, 1);
		} else {
			w->cr = false;
			if (w->line_start && c == '.') {
				if (room(out) < 2)
					return false;
				buf_add_char(out, '.');
			}
			w->line_start = false;
			if (!move_run(in, run_length(*in), out))
				return false;
		}
	}
	return true;
}

void
wire_end_finish(struct wire_end *w, struct buf *out)
{
	if (!w->line_start)
		buf_add(out, "\r\n", 2);
	buf_add(out, ".\r\n", 3);
	wire_end_init(w);
}

void
text_end_init(struct text_end *t, bool dots)
{
	*t = (struct text_end){.line_start = true, .dots = dots};
}

/* A dot was kept back: the next octet tells whether it ends the message. False if there is no room for it. */
static bool
text_after_dot(struct text_end *t, char c, struct buf *out)
{
	if (c == '\n' || c == '\r') {
		t->done = true;
	} else {
		if (!put(out, '.', false))
			return false;
		t->line_start = false;
	}
	t->dot = false;
	return true;
}

bool
text_end_feed(struct text_end *t, struct span *in, struct buf *out)
{
	while (in->len > 0 && !t->done) {
		char c = in->p[0];

		if (t->dot) {
			if (!text_after_dot(t, c, out))
				return false;
		} else if (c == '\n' && t->cr) {
			t->cr = false;
			advance(in, 1);
		} else if (c == '\n' || c == '\r') {
			if (!put(out, '\n', false))
				return false;
			t->line_start = true;
			t->cr = c == '\r';
			advance(in, 1);
		} else if (t->dots && t->line_start && c == '.') {
			t->cr = false;
			t->dot = true;
			advance(in, 1);
		} else {
			t->cr = false;
			t->line_start = false;
			if (!move_run(in, run_length(*in), out))
				return false;
		}
	}
	return true;
}

void
text_end_finish(struct text_end *t, struct buf *out)
{
	if (t->dot)
		t->done = true;
	if (!t->done && !t->line_start)
		put(out, '\n', false);
}
