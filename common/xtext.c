/* xtext: the coding of RFC 3461 4. See xtext.h. */
#include "common/xtext.h"

#include "common/utf8.h"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The octet at the front of *rest, which moves behind it; -1 if there is no xtext. */
static int
take_octet(struct span *rest)
{
	unsigned char c = (unsigned char)rest->p[0];
	int high, low;

	*rest = span_skip(*rest, 1);
	if (c != '+')
		return c > 0x20 && c < 0x7f && c != '=' ? c : -1;
	if (rest->len < 2)
		return -1;
	high = hex_digit(rest->p[0]);
	low = hex_digit(rest->p[1]);
	*rest = span_skip(*rest, 2);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

int
xtext_decode(struct span s, struct buf *out)
{
	while (s.len > 0) {
		int c = take_octet(&s);

		if (c < 0 || buf_add_char(out, (char)c) != 0)
			return -1;
	}
	return 0;
}

int
xtext_encode(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool plain = c > 0x20 && c < 0x7f && c != '+' && c != '=';

		if ((plain ? buf_add_char(out, (char)c) : buf_addf(out, "+%02X", c)) != 0)
			return -1;
	}
	return 0;
}

bool
xtext_is_printable(struct span s, size_t max)
{
	if (s.len == 0 || s.len > max)
		return false;
	while (s.len > 0) {
		int c = take_octet(&s);

		if (c < 0x20 || c > 0x7e)
			return false;
	}
	return true;
}

bool
xtext_is_utf8(struct span s, size_t max)
{
	struct buf decoded;
	bool r;

	if (s.len == 0 || s.len > max)
		return false;
	buf_init(&decoded, s.len);
	r = xtext_decode(s, &decoded) == 0 && utf8_printable(buf_span(&decoded)) == decoded.len;
	buf_release(&decoded);
	return r;
}
