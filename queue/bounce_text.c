/*
 * bounce_text: the part of a report that a person reads, and its subject. Called by
 * bounce.c. It is made from a template: ours, or that of the sender's domain
 * (postrider-domain(5) lists the names that stand for values). All of it is ASCII, in lines
 * that RFC 5322 2.1.1 allows, whatever the template and the values hold.
 */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/limits.h"
#include "queue/bounce_parts.h"
#include "queue/bounce_template.h"
#include "queue/dsn.h"

#define LISTED_MAX  100 /* recipients told in words; the others stand in the status part */
#define WIDTH	    76
#define LINE_LIMIT  990 /* 998 by RFC 5322 2.1.1 */
#define SUBJECT_MAX 900
#define WORDS_MAX   2048	/* of one reason */
#define LIST_MAX    (12U << 10) /* octets, before the last recipient is listed */
#define WHOLE_MAX   (64U << 10)

static const char failure_text[] =
    "This is the mail system at {hostname}.\n"
    "\n"
    "Your message of {date}\n"
    "could not be delivered to the recipients below. It will not be tried again.\n"
    "\n"
    "{recipients}\n"
    "The technical report and {returned} follow. The mail system knows\n"
    "this message as {id}.\n";

static const char delay_text[] =
    "This is the mail system at {hostname}.\n"
    "\n"
    "Your message of {date}\n"
    "has not been delivered to the recipients below yet. This is a warning only:\n"
    "you need not send it again. It is tried until\n"
    "{until}.\n"
    "\n"
    "{recipients}\n"
    "The technical report and {returned} follow. The mail system knows\n"
    "this message as {id}.\n";

static const char success_text[] =
    "This is the mail system at {hostname}.\n"
    "\n"
    "You asked what becomes of your message of\n"
    "{date}.\n"
    "\n"
    "{recipients}\n"
    "The technical report and {returned} follow. The mail system knows\n"
    "this message as {id}.\n";

static const char postmaster_text[] =
    "This is the mail system at {hostname}.\n"
    "\n"
    "A message of {date}\n"
    "could not be delivered to the recipients below. It has no sender who could be\n"
    "told, so you are. It will not be tried again.\n"
    "\n"
    "{recipients}\n"
    "The technical report and {returned} follow. The mail system knows\n"
    "the message as {id}.\n";

enum bounce_kind
bounce_kind_of(const struct bounce *b, size_t n)
{
	enum bounce_kind kind = BOUNCE_OF_SUCCESS;

	for (size_t i = 0; i < n; i++) {
		if (b->recipients[i].action == BOUNCE_FAILED)
			return BOUNCE_OF_FAILURE;
		if (b->recipients[i].action == BOUNCE_DELAYED)
			kind = BOUNCE_OF_DELAY;
	}
	return kind;
}

/* Text as an indented paragraph: broken at spaces, and where there are none at the width of a line. */
static int
add_paragraph(struct buf *out, struct span text)
{
	const size_t width = WIDTH - 4;

	while (text.len > 0) {
		struct span line = span_first(text, width);
		ptrdiff_t space = text.len > width ? span_rindex(line, ' ') : -1;

		if (space > 0)
			line = span_first(line, (size_t)space);
		if (buf_add_str(out, "    ") != 0 || buf_add_span(out, line) != 0 ||
		    buf_add_char(out, '\n') != 0)
			return -1;
		text = span_skip(text, line.len);
		while (text.len > 0 && text.p[0] == ' ')
			text = span_skip(text, 1);
	}
	return 0;
}

/* What was said about it, and by whom. */
static int
add_reason(const struct bounce_recipient *r, struct buf *out)
{
	struct buf words;
	int result = 0;

	buf_init(&words, WORDS_MAX);
	if (r->action == BOUNCE_FAILED && r->verdict.kind != VERDICT_PERMANENT)
		result =
		    buf_add_str(out, "    was tried for too long a time. The last answer:\n");
	if (r->mta.len > 0) {
		buf_add_str(&words, "The mail server ");
		(void)dsn_add_ascii(&words, span_first(r->mta, DOMAIN_MAX));
		buf_add_str(&words, " said:");
		result |= add_paragraph(out, buf_span(&words));
		buf_clear(&words);
	}
	if (r->verdict.code != 0)
		buf_addf(&words, "%d ", r->verdict.code);
	buf_addf(&words, "%s ", r->verdict.status);
	(void)dsn_add_ascii(&words, span_str(r->verdict.text));
	result |= add_paragraph(out, buf_span(&words));
	buf_release(&words);
	return result;
}

static int
add_outcome(const struct bounce_recipient *r, struct buf *out)
{
	switch (r->action) {
	case BOUNCE_DELIVERED:
		return buf_add_str(out, "    has got it: it is in the mailbox.\n");
	case BOUNCE_RELAYED:
		return buf_add_str(out, "    was passed on to a mail server that does not tell "
					"when it is delivered.\n") |
		       add_reason(r, out);
	case BOUNCE_EXPANDED:
		return buf_add_str(out, "    stands for several addresses, to which it is on "
					"its way.\n");
	case BOUNCE_FAILED:
	case BOUNCE_DELAYED:
		break;
	}
	return add_reason(r, out);
}

static int
add_recipient(const struct bounce_recipient *r, struct buf *out)
{
	int result = buf_add_str(out, "  <") | dsn_add_ascii(out, r->original);

	result |= buf_add_str(out, ">\n");
	if (!span_eq(r->original, r->address)) {
		result |= buf_add_str(out, "    (forwarded to <");
		result |= dsn_add_ascii(out, r->address);
		result |= buf_add_str(out, ">)\n");
	}
	return result | add_outcome(r, out);
}

static bool
is_good_news(const struct bounce_recipient *r)
{
	return r->action != BOUNCE_FAILED && r->action != BOUNCE_DELAYED;
}

/* The recipients with good news, or the others, each followed by an empty line. */
static int
add_recipients(const struct bounce *b, size_t n, bool good, struct buf *out)
{
	size_t listed = 0, more = 0, before = out->len;

	for (size_t i = 0; i < n; i++) {
		if (is_good_news(&b->recipients[i]) != good)
			continue;
		if (listed++ >= LISTED_MAX || out->len - before > LIST_MAX)
			more++;
		else if (add_recipient(&b->recipients[i], out) != 0 ||
			 buf_add_char(out, '\n') != 0)
			return -1;
	}
	return more == 0
		   ? 0
		   : buf_addf(out, "  and %zu more, named in the technical report\n\n", more);
}

struct values {
	const struct bounce *b;
	size_t n;
	bool good;   /* which of the recipients {recipients} names */
	bool listed; /* it has been there: once is enough */
};

static int
add_date(struct buf *out, int64_t when)
{
	char date[CLOCK_DATE_SIZE];

	clock_format_rfc5322(when, date);
	return buf_add_str(out, date);
}

/* When the first of the delayed recipients will be given up. */
static int
add_until(const struct values *v, struct buf *out)
{
	int64_t until = 0;

	for (size_t i = 0; i < v->n; i++) {
		int64_t one = v->b->recipients[i].until;

		if (one != 0 && (until == 0 || one < until))
			until = one;
	}
	return until != 0 ? add_date(out, until) : buf_add_str(out, "it gets too old");
}

static int
add_value(struct span name, struct buf *out, void *arg)
{
	struct values *v = arg;
	const struct bounce *b = v->b;

	if (span_is(name, "hostname"))
		return buf_add_str(out, b->hostname);
	if (span_is(name, "id"))
		return buf_add_str(out, b->id);
	if (span_is(name, "sender"))
		return dsn_add_ascii(out, b->to);
	if (span_is(name, "recipient"))
		return dsn_add_ascii(out, b->recipients[0].original);
	if (span_is(name, "count"))
		return buf_addf(out, "%zu", v->n);
	if (span_is(name, "date"))
		return add_date(out, b->arrived);
	if (span_is(name, "until"))
		return add_until(v, out);
	if (span_is(name, "returned"))
		return buf_add_str(
		    out, b->content_whole ? "your message" : "the header of your message");
	if (!span_is(name, "recipients"))
		return 1;
	if (v->listed)
		return 0;
	v->listed = true;
	return add_recipients(b, v->n, v->good, out);
}

/* What is no text has no business in a template: the directory lets none through. */
static int
add_line(struct buf *out, struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		char c = line.p[i];

		if (buf_add_char(out, (c >= 0x20 && c < 0x7f) || c == '\t' ? c : '?') != 0)
			return -1;
	}
	return buf_add_char(out, '\n');
}

/* A line that a template made too long is broken, anywhere. */
static int
add_lines(struct buf *out, struct span text)
{
	while (text.len > 0) {
		struct span line = span_first(text, LINE_LIMIT);
		ptrdiff_t lf = span_index(line, '\n');

		if (lf >= 0)
			line = span_first(line, (size_t)lf);
		if (add_line(out, line) != 0)
			return -1;
		text = span_skip(text, line.len + (lf >= 0 ? 1 : 0));
	}
	return 0;
}

static const char *
own_text(const struct bounce *b, size_t n)
{
	if (b->to_postmaster)
		return postmaster_text;
	switch (bounce_kind_of(b, n)) {
	case BOUNCE_OF_DELAY:
		return delay_text;
	case BOUNCE_OF_SUCCESS:
		return success_text;
	case BOUNCE_OF_FAILURE:
		break;
	}
	return failure_text;
}

/* Whom a template forgot, and those with good news in a report of failures. */
static int
add_rest(struct values *v, struct buf *out)
{
	bool more = false;

	if (!v->listed &&
	    (buf_add_char(out, '\n') != 0 || add_recipients(v->b, v->n, v->good, out) != 0))
		return -1;
	for (size_t i = 0; i < v->n; i++)
		more |= !v->good && is_good_news(&v->b->recipients[i]);
	if (!more)
		return 0;
	return buf_add_str(out, "\nWhat you asked to hear about the other recipients:\n\n") != 0
		   ? -1
		   : add_recipients(v->b, v->n, true, out);
}

int
bounce_text_add(const struct bounce *b, struct span text, size_t n, struct buf *out)
{
	struct values v = {.b = b, .n = n, .good = bounce_kind_of(b, n) == BOUNCE_OF_SUCCESS};
	struct buf whole;
	int r = -1;

	buf_init(&whole, WHOLE_MAX);
	if (buf_add_str(out, "Content-Type: text/plain; charset=us-ascii\n\n") == 0 &&
	    bounce_template_expand(
		text.len > 0 ? text : span_str(own_text(b, n)), add_value, &v, &whole) == 0 &&
	    add_rest(&v, &whole) == 0)
		r = add_lines(out, buf_span(&whole));
	buf_release(&whole);
	return r;
}

/* Without a template: "Undelivered mail: bob@example.org", "... : 3 recipients". */
static int
add_own_subject(const struct bounce *b, size_t n, struct buf *out)
{
	static const char *const words[] = {[BOUNCE_OF_FAILURE] = "Undelivered mail: ",
	    [BOUNCE_OF_DELAY] = "Delayed mail: ",
	    [BOUNCE_OF_SUCCESS] = "Delivery report: "};

	if (buf_add_str(out, b->to_postmaster ? "Undelivered mail without a sender: "
					      : words[bounce_kind_of(b, n)]) != 0)
		return -1;
	return n == 1 ? dsn_add_ascii(out, b->recipients[0].original)
		      : buf_addf(out, "%zu recipients", n);
}

int
bounce_subject_add(const struct bounce *b, struct span *text, size_t n, struct buf *out)
{
	struct span own = bounce_template_subject(text);
	struct values v = {.b = b, .n = n, .listed = true};
	struct buf line;
	int r = -1;

	buf_init(&line, SUBJECT_MAX);
	if (own.len == 0 || bounce_template_expand(own, add_value, &v, &line) != 0 ||
	    span_has_control(buf_span(&line))) {
		buf_clear(&line);
		(void)add_own_subject(b, n, &line);
	}
	if (buf_add_str(out, "Subject: ") == 0 && dsn_add_ascii(out, buf_span(&line)) == 0)
		r = buf_add_char(out, '\n');
	buf_release(&line);
	return r;
}
