/* header_scan: reads along in the header section. See header_scan.h. Called by content for all that is kept. */
#include "smtpd/header_scan.h"

#include <string.h>

/* The names we look for, in lower case. */
enum name { NAME_RECEIVED, NAME_DELIVERED_TO, NAME_COUNT };

static const char *const names[NAME_COUNT] = {"received", "delivered-to"};

#define ALL_NAMES ((1U << NAME_COUNT) - 1)

/* A longer name is none: RFC 5322 2.1.1 limits the whole line to 998 octets. */
#define NAME_MAX_LEN 998

void
header_scan_init(struct header_scan *h, const struct recipients *recipients)
{
	*h = (struct header_scan){.state = HEADER_LINE_START, .recipients = recipients};
}

static void
decide_first(struct header_scan *h, enum header_first first)
{
	if (h->first != HEADER_FIRST_UNKNOWN)
		return;
	h->first = first;
	if (first == HEADER_FIRST_TEXT)
		h->state = HEADER_END;
}

/* RFC 5322 3.6.8: printable ASCII but for the colon. */
static bool
is_name_octet(char c)
{
	return c > 0x20 && c < 0x7f && c != ':';
}

static void
on_line_start(struct header_scan *h, char c)
{
	h->matched = 0;
	h->names = ALL_NAMES;
	if (c == '\n') {
		decide_first(h, HEADER_FIRST_FIELD);
		h->state = HEADER_END;
	} else if (c == ' ' || c == '\t') {
		h->state = HEADER_REST;
		decide_first(h, HEADER_FIRST_TEXT);
	} else {
		h->state = HEADER_NAME;
	}
}

/* An octet of the first line before its colon. */
static void
look_at_first(struct header_scan *h, char c)
{
	bool space = c == ' ' || c == '\t';

	if (c == ':' && h->name_len > 0)
		decide_first(h, HEADER_FIRST_FIELD);
	else if (++h->name_len > NAME_MAX_LEN ||
		 (!space && (h->name_over || !is_name_octet(c))))
		decide_first(h, HEADER_FIRST_TEXT);
	h->name_over |= space;
}

/* The colon behind one of our names: what stands in the field? */
static void
on_field(struct header_scan *h)
{
	if ((h->names & 1U << NAME_RECEIVED) != 0) {
		h->received++;
		h->state = HEADER_REST;
	} else {
		h->delivered++;
		h->value_len = 0;
		h->state = HEADER_VALUE;
	}
}

static void
on_name(struct header_scan *h, char c)
{
	char lower = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	unsigned longer = 0, whole = 0;

	for (unsigned i = 0; i < NAME_COUNT; i++) {
		if ((h->names & 1U << i) == 0)
			continue;
		if (names[i][h->matched] == '\0')
			whole |= 1U << i;
		else if (names[i][h->matched] == lower)
			longer |= 1U << i;
	}
	if (whole != 0 && (c == ':' || c == ' ' || c == '\t')) {
		h->names = whole;
		h->state =
		    HEADER_NAME_SPACE; /* obsolete, and understood everywhere (RFC 5322 4.5) */
		if (c == ':')
			on_field(h);
		return;
	}
	h->names = longer;
	h->matched++;
	if (longer == 0)
		h->state = c == ':' ? HEADER_REST : HEADER_OTHER_NAME;
}

/* The field's line has ended. What is folded names nobody: local, which writes these fields, folds none. */
static void
on_value_end(struct header_scan *h)
{
	struct span value;

	if (h->value_len > sizeof h->value || h->recipients == NULL)
		return;
	value = span_trim(span_make(h->value, h->value_len));
	h->returned = h->returned || recipients_has_hosted(h->recipients, value);
}

static void
on_value(struct header_scan *h, char c)
{
	if (h->value_len == 0 && (c == ' ' || c == '\t'))
		return;
	if (h->value_len < sizeof h->value)
		h->value[h->value_len] = c;
	if (h->value_len <= sizeof h->value)
		h->value_len++;
}

static void
on_octet(struct header_scan *h, char c)
{
	bool at_start = h->state == HEADER_LINE_START;

	if (at_start)
		on_line_start(h, c);
	if (h->first == HEADER_FIRST_UNKNOWN)
		look_at_first(h, c);
	if (h->state == HEADER_END)
		return;
	if (c == '\n') {
		if (h->state == HEADER_VALUE)
			on_value_end(h);
		h->state = HEADER_LINE_START;
	} else if (h->state == HEADER_VALUE) {
		on_value(h, c);
	} else if (h->state == HEADER_NAME) {
		on_name(h, c);
	} else if (h->state == HEADER_OTHER_NAME) {
		if (c == ':')
			h->state = HEADER_REST;
	} else if (h->state == HEADER_NAME_SPACE && c != ' ' && c != '\t') {
		h->state = HEADER_REST;
		if (c == ':')
			on_field(h);
	}
}

void
header_scan_feed(struct header_scan *h, struct span content)
{
	size_t i = 0;

	while (i < content.len && h->state != HEADER_END) {
		/* Behind the colon only the line's end matters. */
		if (h->state == HEADER_REST ||
		    (h->state == HEADER_OTHER_NAME && h->first != HEADER_FIRST_UNKNOWN)) {
			const char *lf = memchr(content.p + i, '\n', content.len - i);

			if (lf == NULL)
				return;
			i = (size_t)(lf - content.p);
		}
		on_octet(h, content.p[i++]);
	}
}
