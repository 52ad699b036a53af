/*
 * mime_scan: the header fields of a message and its parts. See mime_scan.h. Called through
 * conf/header_check by smtpd while content arrives, and by `postrider explain`.
 *
 * A boundary is looked for at the beginning of each line in the way of RFC 2046 5.1.1: it need not
 * fill the line. The longest that fits counts, so one that begins like another does not hide it.
 */
#include "common/mime_scan.h"

#include <string.h>

#include "common/mime_field.h"

/* Of a line in a body: hyphens, boundary, hyphens. */
#define BODY_LINE_MAX (MIME_BOUNDARY_MAX + 4)

const char *
mime_where_name(enum mime_where where)
{
	static const char *const names[] = {
	    [MIME_MESSAGE] = "message", [MIME_PART] = "part", [MIME_ATTACHED] = "attached"};

	return names[where];
}

static void
begin_header(struct mime_scan *m, enum mime_where where)
{
	m->in_header = true;
	m->where = where;
	m->typed = false;
	m->body = MIME_BODY_OTHER;
}

void
mime_scan_init(struct mime_scan *m, mime_field_fn *fn, void *arg)
{
	*m = (struct mime_scan){.fn = fn, .arg = arg, .line = 1};
	buf_init(&m->text, MIME_FIELD_MAX);
	buf_init(&m->field, MIME_FIELD_MAX);
	buf_init(&m->boundary, MIME_BOUNDARY_MAX);
	for (size_t i = 0; i < MIME_DEPTH_MAX; i++)
		buf_init(&m->levels[i].boundary, MIME_BOUNDARY_MAX + 2);
	begin_header(m, MIME_MESSAGE);
}

void
mime_scan_release(struct mime_scan *m)
{
	buf_release(&m->text);
	buf_release(&m->field);
	buf_release(&m->boundary);
	for (size_t i = 0; i < MIME_DEPTH_MAX; i++)
		buf_release(&m->levels[i].boundary);
}

/* No header can follow: nothing is kept any more. */
static void
stop(struct mime_scan *m)
{
	m->done = true;
	m->in_header = false;
	mime_scan_release(m);
}

/* --- fields --- */

/* The plain form counts if there are others: every reader knows it. */
static void
find_boundary(struct span rest, struct buf *out)
{
	struct buf charset;

	buf_init(&charset, MIME_NAME_MAX);
	for (unsigned form = 0; form < MIME_PARAM_FORMS; form++)
		if (mime_param_find(
			rest, "boundary", (enum mime_param_form)form, out, &charset))
			break;
	buf_release(&charset);
}

/* White space at the end of a boundary is no part of it; in front it is (RFC 2046 5.1.1). */
static struct span
trim_end(struct span s)
{
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Content-Type decides what the body is; of several the first, as with those who read mail. */
static void
take_type(struct mime_scan *m, struct span value)
{
	struct span rest, type = mime_value_type(value, &rest);
	struct span boundary;
	struct buf text;

	m->typed = true;
	m->body = MIME_BODY_OTHER;
	if (span_is_nocase(type, "message/rfc822") || span_is_nocase(type, "message/global") ||
	    span_is_nocase(type, "message/news"))
		m->body = MIME_BODY_MESSAGE;
	if (!span_starts_with_nocase(type, "multipart/"))
		return;
	buf_init(&text, MIME_FIELD_MAX);
	buf_clear(&m->boundary);
	find_boundary(rest, &text);
	boundary = trim_end(buf_span(&text));
	if (buf_add_span(&m->boundary, boundary) != 0)
		m->notes |= MIME_BOUNDARY_TOO_LONG;
	else if (boundary.len > 0)
		m->body = span_is_nocase(type, "multipart/digest") ? MIME_BODY_DIGEST
								   : MIME_BODY_MULTIPART;
	buf_release(&text);
}

/* The field at hand is whole. */
static void
end_field(struct mime_scan *m)
{
	struct mime_field f = {.where = m->where,
	    .line = m->field_line,
	    .text = buf_span(&m->field),
	    .cut = m->field_cut};
	bool is_type;

	if (m->field_line == 0)
		return;
	m->field_line = 0;
	if (m->field_cut)
		m->notes |= MIME_FIELD_CUT;
	is_type = !m->typed && span_is_nocase(mime_field_name(f.text), "content-type");
	if (is_type)
		take_type(m, mime_field_value(f.text));
	/* What the body is may stand behind what was kept. */
	if (m->field_cut && is_type && m->body == MIME_BODY_OTHER)
		m->notes |= MIME_BOUNDARY_TOO_LONG;
	m->fn(&f, m->arg);
}

static void
add_to_field(struct mime_scan *m, struct span line)
{
	size_t room = m->field.max - m->field.len;

	m->field_cut = m->field_cut || m->line_cut || line.len > room;
	(void)buf_add_span(&m->field, span_first(line, room));
}

static void
begin_field(struct mime_scan *m, struct span line)
{
	buf_clear(&m->field);
	m->field_line = m->line;
	m->field_cut = false;
	add_to_field(m, line);
}

/* --- bodies --- */

static void
enter_multipart(struct mime_scan *m)
{
	struct mime_level *l;

	if (m->depth == MIME_DEPTH_MAX) {
		m->notes |= MIME_TOO_DEEP;
		return;
	}
	l = &m->levels[m->depth++];
	buf_clear(&l->boundary);
	(void)buf_add_str(&l->boundary, "--");
	(void)buf_add_span(&l->boundary, buf_span(&m->boundary));
	l->digest = m->body == MIME_BODY_DIGEST;
}

/* False if there were as many as are looked at. */
static bool
count_part(struct mime_scan *m)
{
	if (m->parts++ < MIME_PARTS_MAX)
		return true;
	m->notes |= MIME_TOO_MANY;
	stop(m);
	return false;
}

static void
begin_part(struct mime_scan *m)
{
	if (!count_part(m))
		return;
	begin_header(m, MIME_PART);
	if (m->levels[m->depth - 1].digest)
		m->body = MIME_BODY_MESSAGE;
}

/* The empty line behind a header. */
static void
begin_body(struct mime_scan *m)
{
	m->in_header = false;
	if (m->body == MIME_BODY_MULTIPART || m->body == MIME_BODY_DIGEST) {
		enter_multipart(m);
	} else if (m->body == MIME_BODY_MESSAGE) {
		if (count_part(m))
			begin_header(m, MIME_ATTACHED);
		return;
	}
	if (m->depth == 0)
		stop(m);
}

/* A line that begins with two hyphens: if it is a boundary, parts within that one are over with it. */
static bool
take_boundary(struct mime_scan *m, struct span line)
{
	const struct mime_level *best = NULL;
	bool closing;

	for (unsigned i = 0; i < m->depth; i++) {
		const struct mime_level *l = &m->levels[i];

		if (line.len >= l->boundary.len &&
		    memcmp(line.p, l->boundary.p, l->boundary.len) == 0 &&
		    (best == NULL || l->boundary.len >= best->boundary.len))
			best = l;
	}
	if (best == NULL)
		return false;
	end_field(m);
	closing = span_starts_with(span_skip(line, best->boundary.len), "--");
	m->depth = (unsigned)(best - m->levels) + (closing ? 0 : 1);
	m->in_header = false;
	if (!closing)
		begin_part(m);
	else if (m->depth == 0)
		stop(m);
	return true;
}

/* --- lines --- */

/*
 * What is no field is passed over and the header goes on to its empty line, as with many of those who
 * read mail; but content whose first line is none has no header at all (smtpd/header_scan).
 */
static void
on_header_line(struct mime_scan *m, struct span line)
{
	if (line.len == 0) {
		end_field(m);
		begin_body(m);
	} else if (line.p[0] == ' ' || line.p[0] == '\t') {
		if (m->field_line != 0)
			add_to_field(m, line);
		else if (m->line == 1)
			stop(m);
	} else {
		end_field(m);
		if (mime_field_name(line).len > 0)
			begin_field(m, line);
		else if (m->line == 1)
			stop(m);
	}
}

static void
end_line(struct mime_scan *m)
{
	struct span line = buf_span(&m->text);

	if (!(m->depth > 0 && span_starts_with(line, "--") && take_boundary(m, line)) &&
	    m->in_header)
		on_header_line(m, line);
	buf_clear(&m->text);
	m->line_cut = false;
	m->line++;
}

/* Octets of a line, without its end. */
static void
add_to_line(struct mime_scan *m, struct span s)
{
	size_t max = m->in_header ? MIME_FIELD_MAX : BODY_LINE_MAX;
	size_t room = max > m->text.len ? max - m->text.len : 0;

	(void)buf_add_span(&m->text, span_first(s, room));
	m->line_cut = m->line_cut || s.len > room;
}

void
mime_scan_feed(struct mime_scan *m, struct span content)
{
	while (content.len > 0 && !m->done) {
		const char *lf = memchr(content.p, '\n', content.len);
		size_t n = lf != NULL ? (size_t)(lf - content.p) : content.len;

		/* Most lines of a body cannot be a boundary, and are told by their first octet. */
		if (m->in_header || m->text.len > 0 || (!m->line_cut && content.p[0] == '-'))
			add_to_line(m, span_first(content, n));
		else
			m->line_cut = m->line_cut || n > 0;
		if (lf == NULL)
			return;
		end_line(m);
		content = span_skip(content, n + 1);
	}
}

void
mime_scan_finish(struct mime_scan *m)
{
	if (!m->done && (m->text.len > 0 || m->line_cut))
		end_line(m);
	if (!m->done && m->in_header)
		end_field(m);
	if (!m->done)
		stop(m);
}
