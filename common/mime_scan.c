/*
 * mime_scan: the header fields of a message and its parts. See mime_scan.h. Called through
 * conf/header_check by smtpd while content arrives, and by `postrider explain`.
 *
 * Those who read mail do not agree where parts begin and end. What any of them may take for a part's header is read as
 * one: a line that begins as a boundary begins a part (RFC 2046 5.1.1: it need not fill its line), but only one that
 * is a boundary and nothing else ends the parts within, and none that closes ends anything.
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
	m->header_line = m->line;
	m->where = where;
	m->body.digest = m->body.message = m->body.typed = false;
	buf_clear(&m->body.boundaries);
}

void
mime_scan_init(struct mime_scan *m, mime_field_fn *fn, void *arg)
{
	*m = (struct mime_scan){.fn = fn, .arg = arg, .line = 1};
	buf_init(&m->text, MIME_FIELD_MAX);
	buf_init(&m->field, MIME_FIELD_MAX);
	buf_init(&m->body.boundaries, MIME_BOUNDARIES_SIZE);
	for (size_t i = 0; i < MIME_DEPTH_MAX; i++)
		buf_init(&m->levels[i].boundaries, MIME_BOUNDARIES_SIZE);
	begin_header(m, MIME_MESSAGE);
}

void
mime_scan_release(struct mime_scan *m)
{
	buf_release(&m->text);
	buf_release(&m->field);
	buf_release(&m->body.boundaries);
	for (size_t i = 0; i < MIME_DEPTH_MAX; i++)
		buf_release(&m->levels[i].boundaries);
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

/* A header stands in the body of whatever type of message, but for reports whose fields are none of mail. */
static bool
is_message(struct span type)
{
	ptrdiff_t hyphen = span_rindex(type, '-');
	struct span kind = span_skip(type, (size_t)(hyphen + 1));

	return span_starts_with_nocase(type, "message/") && !span_is_nocase(kind, "status") &&
	       !span_is_nocase(kind, "notification");
}

/*
 * Content-Type decides what the body is. Of several one counts, and readers differ which; and some take any for a
 * multipart that has a boundary.
 */
static void
take_type(struct mime_scan *m, struct span value)
{
	struct span rest, type = mime_value_type(value, &rest);
	struct mime_body *b = &m->body;
	unsigned left_out = mime_boundary_list(value, &b->boundaries);

	/* What a part of a digest is without a type. */
	if (!b->typed)
		b->message = false;
	b->typed = true;
	b->message = b->message || is_message(type);
	b->digest = b->digest || span_is_nocase(type, "multipart/digest");
	/* What the body is may stand behind what was kept. */
	if ((left_out & MIME_BOUNDARY_LONG) != 0 ||
	    (m->field_cut && b->boundaries.len == 0 && !b->message))
		m->notes |= MIME_BOUNDARY_TOO_LONG;
	if ((left_out & MIME_BOUNDARY_MANY) != 0)
		m->notes |= MIME_TOO_MANY_BOUNDARIES;
}

/* The field at hand is whole. */
static void
end_field(struct mime_scan *m)
{
	struct mime_field f = {.where = m->where,
	    .line = m->field_line,
	    .text = buf_span(&m->field),
	    .cut = m->field_cut};

	if (m->field_line == 0)
		return;
	m->field_line = 0;
	if (m->field_cut)
		m->notes |= MIME_FIELD_CUT;
	if (span_is_nocase(mime_field_name(f.text), "content-type"))
		take_type(m, mime_field_value(f.text));
	m->fn(&f, m->arg);
	buf_clear_large(&m->field);
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
	buf_clear(&l->boundaries);
	(void)buf_add_span(&l->boundaries, buf_span(&m->body.boundaries));
	l->digest = m->body.digest;
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
begin_part(struct mime_scan *m, bool of_digest)
{
	if (!count_part(m))
		return;
	begin_header(m, MIME_PART);
	m->body.message = of_digest;
}

/* The empty line behind a header. */
static void
begin_body(struct mime_scan *m)
{
	m->in_header = false;
	if (m->body.boundaries.len > 0)
		enter_multipart(m);
	if (m->body.message) {
		if (count_part(m))
			begin_header(m, MIME_ATTACHED);
	} else if (m->depth == 0) {
		stop(m);
	}
}

/* What stands behind the boundary in its line. */
enum behind { NOTHING, HYPHENS, MORE };

static enum behind
look_behind(const struct mime_scan *m, const struct mime_level *l, struct span line)
{
	bool hyphens = span_starts_with(line, "--");

	/* One of several boundaries may be none. */
	if (m->line_cut ||
	    (!hyphens && mime_boundary_list_has_several(buf_span(&l->boundaries))) ||
	    span_trim(span_skip(line, hyphens ? 2 : 0)).len > 0)
		return MORE;
	return hyphens ? HYPHENS : NOTHING;
}

/*
 * A boundary of the multipart whose header is at hand: for some the header has ended, for others this is junk in it,
 * and what follows is whose it was.
 */
static bool
take_early(struct mime_scan *m, struct span line)
{
	enum mime_where where = m->where;

	if (!m->in_header)
		return false;
	end_field(m);
	if (mime_boundary_match(buf_span(&m->body.boundaries), line) == 0)
		return false;
	enter_multipart(m);
	begin_part(m, m->body.digest);
	m->where = where;
	return true;
}

/* A line that begins with two hyphens: is it, or may it be, a boundary? */
static bool
take_boundary(struct mime_scan *m, struct span line)
{
	unsigned best = 0;
	size_t longest = 0;
	bool digest;

	for (unsigned i = 0; i < m->depth; i++) {
		size_t n = mime_boundary_match(buf_span(&m->levels[i].boundaries), line);

		if (n > 0 && n >= longest) {
			longest = n;
			best = i;
		}
	}
	if (longest == 0)
		return false;
	digest = m->levels[best].digest;
	end_field(m);
	switch (look_behind(m, &m->levels[best], span_skip(line, longest))) {
	case NOTHING:
		m->depth = best + 1;
		begin_part(m, digest);
		break;
	case HYPHENS:
		/* Some pass over those right behind another. */
		m->in_header = m->in_header && m->line == m->header_line + 1;
		m->header_line = m->line;
		break;
	case MORE:
		/* Or the header ends here, without an empty line. */
		if (m->in_header && m->body.boundaries.len > 0)
			enter_multipart(m);
		begin_part(m, digest);
		break;
	}
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

	if (!(span_starts_with(line, "--") &&
		(take_boundary(m, line) || take_early(m, line))) &&
	    m->in_header)
		on_header_line(m, line);
	buf_clear_large(&m->text);
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
