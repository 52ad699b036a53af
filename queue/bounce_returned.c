/*
 * bounce_returned: what a report returns of the message: the whole of it as it is,
 * or its header (RFC 6522 4), made 7-bit where it is not. A message with UTF-8 in its header
 * is message/global (RFC 6533 5), which may be encoded. Called by bounce.c.
 */
#include <string.h>

#include "common/utf8.h"
#include "queue/bounce_parts.h"

#define QP_LINE	   76  /* RFC 2045 6.7 */
#define LINE_LIMIT 990 /* 998 by RFC 5322 2.1.1 */

/* Printable ASCII in lines of ordinary length: nothing on the way will change it. */
static bool
is_text(struct span s)
{
	size_t column = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		column = c == '\n' ? 0 : column + 1;
		if ((c != '\n' && c != '\t' && (c < 0x20 || c > 0x7e)) || column > LINE_LIMIT)
			return false;
	}
	return true;
}

/* May it stand for itself (RFC 2045 6.7)? Blanks at the end of a line may not. */
static bool
is_literal(struct span rest)
{
	char c = rest.p[0];

	if (c == ' ' || c == '\t')
		return rest.len > 1 && rest.p[1] != '\n';
	return c > 0x20 && c < 0x7f && c != '=';
}

int
bounce_quote(struct buf *out, struct span s)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t column = 0;

	for (; s.len > 0; s = span_skip(s, 1)) {
		bool literal = is_literal(s);
		size_t n = literal ? 1 : 3;
		char coded[3] = {'='};

		if (s.p[0] == '\n') {
			column = 0;
			if (buf_add_char(out, '\n') != 0)
				return -1;
			continue;
		}
		if (column + n > QP_LINE - 1) {
			column = 0;
			if (buf_add_str(out, "=\n") != 0)
				return -1;
		}
		coded[1] = hex[(unsigned char)s.p[0] >> 4];
		coded[2] = hex[(unsigned char)s.p[0] & 15];
		if (buf_add(out, literal ? s.p : coded, n) != 0)
			return -1;
		column += n;
	}
	return 0;
}

/* The content of a part, with a line end behind it. */
static int
add_content(struct buf *out, struct span content, bool encoded)
{
	if ((encoded ? bounce_quote(out, content) : buf_add_span(out, content)) != 0)
		return -1;
	return content.len > 0 && content.p[content.len - 1] != '\n' ? buf_add_char(out, '\n')
								     : 0;
}

int
bounce_returned_header(struct span header, bool utf8, struct buf *out)
{
	bool encoded = !is_text(header);

	if (buf_add_str(out, "Content-Type: ") != 0 ||
	    buf_add_str(out, utf8 ? "message/global-headers" : "text/rfc822-headers") != 0)
		return -1;
	if (encoded && !utf8 && utf8_valid(header) && buf_add_str(out, "; charset=utf-8") != 0)
		return -1;
	if (encoded && buf_add_str(out, "\nContent-Transfer-Encoding: quoted-printable") != 0)
		return -1;
	return buf_add_str(out, "\n\n") != 0 ? -1 : add_content(out, header, encoded);
}

static int
add_whole(const struct bounce *b, struct buf *out, bool *eight_bit)
{
	bool encoded = b->utf8 && !is_text(b->content);

	*eight_bit = !b->utf8 && !utf8_is_ascii(b->content);
	if (buf_addf(out, "Content-Type: message/%s\n", b->utf8 ? "global" : "rfc822") != 0)
		return -1;
	if ((encoded || *eight_bit) && buf_addf(out, "Content-Transfer-Encoding: %s\n",
					   encoded ? "quoted-printable" : "8bit") != 0)
		return -1;
	return buf_add_char(out, '\n') != 0 ? -1 : add_content(out, b->content, encoded);
}

int
bounce_returned_add(const struct bounce *b, struct buf *out, bool *eight_bit)
{
	size_t before = out->len;

	*eight_bit = false;
	if (b->content_whole) {
		if (add_whole(b, out, eight_bit) == 0)
			return 0;
		*eight_bit = false;
		out->len = before;
	}
	return bounce_returned_header(
	    bounce_header_of(b->content, BOUNCE_HEADER_MAX), b->utf8, out);
}
