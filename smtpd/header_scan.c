/* header_scan: reads along in the header section. See header_scan.h. Called by content for all that is kept. */
#include "smtpd/header_scan.h"

#include <string.h>

#define RECEIVED     "received"
#define RECEIVED_LEN (sizeof RECEIVED - 1)

/* A longer name is none: RFC 5322 2.1.1 limits the whole line to 998 octets. */
#define NAME_MAX_LEN 998

void
header_scan_init(struct header_scan *h)
{
	*h = (struct header_scan){.state = HEADER_LINE_START};
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

static void
on_name(struct header_scan *h, char c)
{
	char lower = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;

	if (h->matched < RECEIVED_LEN && lower == RECEIVED[h->matched]) {
		h->matched++;
		return;
	}
	if (h->matched == RECEIVED_LEN && (c == ' ' || c == '\t')) {
		h->state =
		    HEADER_NAME_SPACE; /* obsolete, and understood everywhere (RFC 5322 4.5) */
		return;
	}
	if (h->matched == RECEIVED_LEN && c == ':')
		h->received++;
	h->state = c == ':' ? HEADER_REST : HEADER_OTHER_NAME;
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
		h->state = HEADER_LINE_START;
	} else if (h->state == HEADER_NAME) {
		on_name(h, c);
	} else if (h->state == HEADER_OTHER_NAME) {
		if (c == ':')
			h->state = HEADER_REST;
	} else if (h->state == HEADER_NAME_SPACE && c != ' ' && c != '\t') {
		if (c == ':')
			h->received++;
		h->state = HEADER_REST;
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
