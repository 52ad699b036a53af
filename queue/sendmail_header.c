/*
 * sendmail_header: completes the header of a local program's message. See
 * sendmail_header.h. Called by sendmail. Invariant: a Bcc field never reaches the
 * output, whatever stands in front of its colon.
 */
#include "queue/sendmail_header.h"

#include <string.h>

#include "common/clock.h"
#include "common/address_list.h"
#include "queue/sendmail_phrase.h"

enum {
	FIELD_ADDRESSES = 1,  /* holds addresses: those without a domain get one */
	FIELD_RECIPIENTS = 2, /* -t looks here */
	FIELD_REMOVED = 4,
	FIELD_RESENT = 8, /* makes the message a resent one (RFC 5322 3.6.6) */
};

/* Position in the table and in the set of fields seen. */
enum field {
	F_FROM,
	F_DATE,
	F_MESSAGE_ID,
	F_RESENT_FROM,
	F_RESENT_DATE,
	F_RESENT_MESSAGE_ID,
	F_OTHERS,
};

static const struct {
	const char *name;
	unsigned flags;
} fields[] = {
    [F_FROM] = {"From", FIELD_ADDRESSES},
    [F_DATE] = {"Date", 0},
    [F_MESSAGE_ID] = {"Message-ID", 0},
    [F_RESENT_FROM] = {"Resent-From", FIELD_ADDRESSES | FIELD_RESENT},
    [F_RESENT_DATE] = {"Resent-Date", FIELD_RESENT},
    [F_RESENT_MESSAGE_ID] = {"Resent-Message-ID", FIELD_RESENT},
    {"To", FIELD_ADDRESSES | FIELD_RECIPIENTS},
    {"Cc", FIELD_ADDRESSES | FIELD_RECIPIENTS},
    {"Bcc", FIELD_RECIPIENTS | FIELD_REMOVED},
    {"Resent-To", FIELD_ADDRESSES | FIELD_RECIPIENTS | FIELD_RESENT},
    {"Resent-Cc", FIELD_ADDRESSES | FIELD_RECIPIENTS | FIELD_RESENT},
    {"Resent-Bcc", FIELD_RECIPIENTS | FIELD_REMOVED | FIELD_RESENT},
    {"Sender", FIELD_ADDRESSES},
    {"Resent-Sender", FIELD_ADDRESSES | FIELD_RESENT},
    {"Reply-To", FIELD_ADDRESSES},
    {"Return-Path", FIELD_REMOVED},
};

#define NFIELDS (sizeof fields / sizeof fields[0])

/* Octets of the name a line begins with if it is a field's first line, else 0; blanks before the colon are tolerated. */
static size_t
field_name_len(struct span line, size_t *colon)
{
	size_t n = 0;

	while (n < line.len && line.p[n] > ' ' && line.p[n] < 127 && line.p[n] != ':')
		n++;
	*colon = n;
	while (*colon < line.len && (line.p[*colon] == ' ' || line.p[*colon] == '\t'))
		++*colon;
	return *colon < line.len && line.p[*colon] == ':' ? n : 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What a mailbox's separator line begins with. */
static const char from_line[] = "From ";

/* Octets of a mailbox's separator line, which some programs hand over with the message; 0 if there is none. */
static size_t
from_line_len(struct span text)
{
	struct span rest = text, line = span_cut(&rest, '\n');
	size_t colon;

	if (rest.p == NULL || !span_starts_with(line, from_line) ||
	    field_name_len(line, &colon) > 0)
		return 0;
	return line.len + 1;
}

/* A line whose end was not seen yet: is it clear already that no colon ends a name in it? */
static bool
is_no_field(struct span begun, size_t colon)
{
	size_t n = begun.len < strlen(from_line) ? begun.len : strlen(from_line);

	return colon < begun.len && memcmp(begun.p, from_line, n) != 0;
}

bool
sendmail_header_scan(struct span text, size_t *at)
{
	size_t first = from_line_len(text);

	if (*at < first)
		*at = first;
	while (*at < text.len) {
		struct span rest = span_skip(text, *at), line = span_cut(&rest, '\n');
		size_t colon;

		if (field_name_len(line, &colon) == 0 &&
		    !(*at > first && line.len > 0 && is_blank(line.p[0])))
			return rest.p != NULL || is_no_field(line, colon);
		if (rest.p == NULL)
			return false;
		*at += line.len + 1;
	}
	return false;
}

struct field_text {
	struct span whole; /* with its last line end */
	struct span name, body;
	size_t kind; /* index into fields, NFIELDS if it is none of these */
};

/* The next field of a scanned header, or false at its end. */
static bool
next_field(struct span *rest, struct field_text *f)
{
	size_t end = 0, colon = 0, name_len;

	if (rest->len == 0)
		return false;
	do {
		struct span line = span_skip(*rest, end);
		ptrdiff_t lf = span_index(line, '\n');

		end += lf >= 0 ? (size_t)lf + 1 : line.len;
	} while (end < rest->len && is_blank(rest->p[end]));
	f->whole = span_first(*rest, end);
	*rest = span_skip(*rest, end);
	name_len = field_name_len(f->whole, &colon);
	f->name = span_first(f->whole, name_len);
	f->body = name_len > 0 ? span_skip(f->whole, colon + 1) : span_make("", 0);
	for (f->kind = 0; f->kind < NFIELDS; f->kind++) {
		if (span_is_nocase(f->name, fields[f->kind].name))
			break;
	}
	return true;
}

static unsigned
flags_of(const struct field_text *f)
{
	return f->kind < NFIELDS ? fields[f->kind].flags : 0;
}

/* Is it a local part that a domain makes an address? */
static bool
can_qualify(const struct address_list_item *item, const char *hostname)
{
	struct sendmail_recipients one;
	const char *why;
	bool can;

	if (item->qualified || item->len == 0)
		return false;
	sendmail_recipients_init(&one);
	can = sendmail_recipients_add(
		  &one, span_make(item->text, item->len), false, hostname, &why) == 0;
	sendmail_recipients_release(&one);
	return can;
}

/* Copies an address field's body, with a domain where one is missing. */
static int
put_qualified(struct span body, const char *hostname, struct buf *out)
{
	struct address_list l;
	struct address_list_item item;
	enum address_list_result r;
	size_t done = 0;

	address_list_init(&l, body);
	while ((r = address_list_next(&l, &item)) != ADDRESS_LIST_END) {
		if (r != ADDRESS_LIST_ITEM || !can_qualify(&item, hostname))
			continue;
		if (buf_add(out, body.p + done, item.qualify_at - done) != 0 ||
		    buf_addf(out, "@%s", hostname) != 0)
			return -1;
		done = item.qualify_at;
	}
	return buf_add_span(out, span_skip(body, done));
}

static void
take_recipients(const struct field_text *f, const struct sendmail_header_job *job)
{
	struct address_list l;
	struct address_list_item item;
	enum address_list_result r;

	address_list_init(&l, f->body);
	while ((r = address_list_next(&l, &item)) != ADDRESS_LIST_END) {
		const char *why = "it is no address";

		if (r == ADDRESS_LIST_ITEM &&
		    sendmail_recipients_add(job->recipients, span_make(item.text, item.len),
			item.qualified, job->hostname, &why) == 0)
			continue;
		job->on_bad_address(f->name,
		    span_first(span_skip(f->body, item.begin), item.end - item.begin), why,
		    job->arg);
	}
}

static int
put_from(const char *name, const struct sendmail_header_job *job, struct buf *out)
{
	if (buf_addf(out, "%s: ", name) != 0)
		return -1;
	if (sendmail_phrase_format(span_str(job->full_name), out) == 0)
		return buf_addf(out, " <%s>\n", job->sender);
	return buf_addf(out, "%s\n", job->sender);
}

/* Adds the three fields every message has, those of them that were not seen. */
static int
put_missing(const bool seen[NFIELDS], bool resent, const struct sendmail_header_job *job,
    struct buf *out)
{
	size_t from = resent ? F_RESENT_FROM : F_FROM;
	size_t date = resent ? F_RESENT_DATE : F_DATE;
	size_t id = resent ? F_RESENT_MESSAGE_ID : F_MESSAGE_ID;
	char when[CLOCK_DATE_SIZE];

	if (!seen[from] && put_from(fields[from].name, job, out) != 0)
		return -1;
	clock_format_rfc5322(job->now, when);
	if (!seen[date] && buf_addf(out, "%s: %s\n", fields[date].name, when) != 0)
		return -1;
	if (!seen[id] &&
	    buf_addf(out, "%s: <%s@%s>\n", fields[id].name, job->unique, job->hostname) != 0)
		return -1;
	return 0;
}

/*
 * Copies the header without what must not reach the fields: a mailbox's separator line, and lines of
 * blanks only, which continue a field here (RFC 5322 4.2) but end the header for some readers.
 */
static void
copy_clean(struct span header, struct buf *out)
{
	header = span_skip(header, from_line_len(header));
	while (header.len > 0) {
		struct span line = span_cut(&header, '\n');

		if (span_trim(line).len > 0) {
			buf_add_span(out, line);
			buf_add_char(out, '\n');
		}
	}
}

/* What of a field goes into the output, and into the set of recipients. */
static int
do_field(const struct field_text *f, bool resent, const struct sendmail_header_job *job,
    struct buf *out)
{
	unsigned flags = flags_of(f);

	if (job->recipients != NULL && (flags & FIELD_RECIPIENTS) &&
	    resent == ((flags & FIELD_RESENT) != 0))
		take_recipients(f, job);
	if (flags & FIELD_REMOVED)
		return 0;
	if (!(flags & FIELD_ADDRESSES))
		return buf_add_span(out, f->whole);
	if (buf_add(out, f->whole.p, (size_t)(f->body.p - f->whole.p)) != 0)
		return -1;
	return put_qualified(f->body, job->hostname, out);
}

int
sendmail_header_complete(
    struct span header, const struct sendmail_header_job *job, struct buf *out)
{
	bool seen[NFIELDS] = {false}, resent = false;
	struct field_text f;
	struct buf clean;
	struct span rest;
	int r;

	buf_init(&clean, header.len + 1);
	copy_clean(header, &clean);
	for (rest = buf_span(&clean); next_field(&rest, &f);) {
		if (f.kind < NFIELDS)
			seen[f.kind] = true;
		resent = resent || (flags_of(&f) & FIELD_RESENT);
	}
	/* A resent message's new fields stand above the old ones (RFC 5322 3.6.6). */
	r = resent ? put_missing(seen, true, job, out) : 0;
	for (rest = buf_span(&clean); r == 0 && next_field(&rest, &f);)
		r = do_field(&f, resent, job, out);
	if (r == 0 && !resent)
		r = put_missing(seen, false, job, out);
	buf_release(&clean);
	return r;
}
