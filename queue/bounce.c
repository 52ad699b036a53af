/* bounce: composes delivery status notifications: its header, and the parts together. See bounce.h. */
#include "queue/bounce.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/utf8.h"
#include "queue/bounce_parts.h"
#include "queue/bounce_template.h"

/* All parts together are at most MESSAGE_INLINE_MAX; what the first two leave is for the status part. */
#define HEAD_MAX     4096
#define RETURNED_MAX BOUNCE_WHOLE_MAX
#define TEXT_MAX     (48U << 10)
#define BOUNDARY_MAX 64

struct parts {
	struct buf text, status, returned;
	char boundary[BOUNDARY_MAX];
	size_t n; /* recipients told of */
	bool eight_bit;
};

/* Does the boundary stand in one of the parts? */
static bool
is_taken(const struct parts *p)
{
	const struct buf *all[] = {&p->text, &p->status, &p->returned};
	size_t n = strlen(p->boundary);

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i]->len >= n && memmem(all[i]->p, all[i]->len, p->boundary, n) != NULL)
			return true;
	return false;
}

/* No part can hold all of them. */
static void
choose_boundary(const struct bounce *b, struct parts *p)
{
	uint64_t n = b->salt;

	do {
		snprintf(p->boundary, sizeof p->boundary, "=_%.32s_%" PRIx64, b->own_id, n++);
	} while (is_taken(p));
}

/* Whoever has an address in UTF-8 is reached with SMTPUTF8 alone, so it may stand in the header as it is. */
static void
add_to(struct span to, struct buf *out)
{
	buf_add_str(out, "To: <");
	buf_add_span(out, span_has_control(to) ? span_make("", 0) : to);
	buf_add_str(out, ">\n");
}

static int
add_head(const struct bounce *b, struct span *text, const struct parts *p, struct buf *out)
{
	char date[CLOCK_DATE_SIZE];

	clock_format_rfc5322(b->now, date);
	buf_addf(out, "Date: %s\n", date);
	buf_addf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\n", b->hostname);
	add_to(b->to, out);
	if (bounce_subject_add(b, text, p->n, out) != 0)
		return -1;
	buf_addf(out, "Message-ID: <%s@%s>\n", b->own_id, b->hostname);
	buf_add_str(out, "MIME-Version: 1.0\n"
			 "Auto-Submitted: auto-replied\n"
			 "Content-Type: multipart/report; report-type=delivery-status;\n");
	buf_addf(out, "\tboundary=\"%s\"\n", p->boundary);
	if (p->eight_bit)
		buf_add_str(out, "Content-Transfer-Encoding: 8bit\n");
	return buf_add_char(out, '\n');
}

/* The template's text, and ours where the template makes too much of it. */
static int
add_text(const struct bounce *b, struct span text, size_t n, struct buf *out)
{
	if (bounce_text_add(b, text, n, out) == 0)
		return 0;
	buf_clear(out);
	return bounce_text_add(b, span_str(""), n, out);
}

/* All parts. How many recipients are told of is known when the status part is made, so that comes first. */
static int
make_parts(const struct bounce *b, struct parts *p)
{
	struct span text = b->text;

	(void)bounce_template_subject(&text);
	if (bounce_returned_add(b, &p->returned, &p->eight_bit) != 0)
		return -1;
	p->status.max = MESSAGE_INLINE_MAX - HEAD_MAX - TEXT_MAX - p->returned.len;
	if (bounce_status_add(b, &p->status, &p->n) != 0 ||
	    add_text(b, text, p->n, &p->text) != 0)
		return -1;
	choose_boundary(b, p);
	return 0;
}

static int
assemble(const struct bounce *b, const struct parts *p, struct buf *out)
{
	const struct buf *all[] = {&p->text, &p->status, &p->returned};
	struct span text = b->text;

	if (add_head(b, &text, p, out) != 0)
		return -1;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (buf_addf(out, "--%s\n", p->boundary) != 0 ||
		    buf_add_span(out, buf_span(all[i])) != 0 || buf_add_char(out, '\n') != 0)
			return -1;
	return buf_addf(out, "--%s--\n", p->boundary);
}

int
bounce_compose(const struct bounce *b, struct buf *out, struct bounce_result *result)
{
	struct parts p = {.n = 0};
	int r = -1;

	buf_init(&p.text, TEXT_MAX);
	buf_init(&p.status, 0);
	buf_init(&p.returned, RETURNED_MAX);
	if (make_parts(b, &p) == 0)
		r = assemble(b, &p, out);
	*result = (struct bounce_result){.nrecipients = p.n,
	    .eight_bit = p.eight_bit || !utf8_is_ascii(b->to),
	    .utf8 = !utf8_is_ascii(b->to)};
	buf_release(&p.text);
	buf_release(&p.status);
	buf_release(&p.returned);
	return r;
}

struct span
bounce_header_of(struct span content, size_t max)
{
	const char *end = memmem(content.p, content.len, "\n\n", 2);
	struct span head =
	    end != NULL ? span_first(content, (size_t)(end - content.p) + 1) : content;
	ptrdiff_t lf;

	if (content.len > 0 && content.p[0] == '\n')
		return span_first(content, 0);
	if (head.len <= max)
		return head;
	head = span_first(head, max);
	lf = span_rindex(head, '\n');
	return span_first(head, (size_t)(lf + 1));
}

/* What stands in s before and behind the first `what`; -1 if it is not there. */
static int
split(struct span s, struct span what, struct span *before, struct span *behind)
{
	const char *at = s.len >= what.len ? memmem(s.p, s.len, what.p, what.len) : NULL;

	if (at == NULL)
		return -1;
	*before = span_first(s, (size_t)(at - s.p));
	*behind = span_skip(s, before->len + what.len);
	return 0;
}

int
bounce_seven_bit(struct span report, struct buf *out)
{
	static const char eight_bit[] = "Content-Transfer-Encoding: 8bit\n";
	struct span head, name, parts, first, whole, none, text;
	char part[BOUNDARY_MAX + 128], last[BOUNDARY_MAX + 8];
	int n;

	if (split(report, span_str("\n\tboundary=\""), &head, &parts) != 0 ||
	    split(parts, span_str("\"\n"), &name, &parts) != 0 || name.len >= BOUNDARY_MAX ||
	    !span_starts_with(parts, eight_bit))
		return -1;
	parts = span_skip(parts, sizeof eight_bit - 1);
	n = snprintf(part, sizeof part, "\n--%.*s\nContent-Type: message/rfc822\n%s\n",
	    SPAN_ARG(name), eight_bit);
	if (split(parts, span_make(part, (size_t)n), &first, &whole) != 0)
		return -1;
	n = snprintf(last, sizeof last, "\n--%.*s--\n", SPAN_ARG(name));
	if (split(whole, span_make(last, (size_t)n), &text, &none) != 0)
		return -1;
	if (buf_add_span(out, head) != 0 ||
	    buf_addf(out, "\n\tboundary=\"%.*s\"\n", SPAN_ARG(name)) != 0 ||
	    buf_add_span(out, first) != 0 || buf_addf(out, "\n--%.*s\n", SPAN_ARG(name)) != 0 ||
	    bounce_returned_header(bounce_header_of(text, BOUNCE_HEADER_MAX), false, out) != 0)
		return -1;
	return buf_add_str(out, last);
}
