/* utf8_address: the forms of RFC 6533 3. See utf8_address.h. */
#include "common/utf8_address.h"

#include <string.h>

#include "common/utf8.h"

/* EmbeddedUnicodeChar at the front of *rest, which moves behind it. -1 if there is none. */
static int
take_embedded(struct span *rest, uint32_t *c)
{
	static const char hex[] = "0123456789ABCDEF";
	struct span digits = span_skip(*rest, 3);
	ptrdiff_t n = span_index(digits, '}');

	if (!span_starts_with(*rest, "\\x{") || n < 2 || n > 6 || digits.p[0] == '0')
		return -1;
	*c = 0;
	for (ptrdiff_t i = 0; i < n; i++) {
		const char *digit = memchr(hex, digits.p[i], sizeof hex - 1);

		if (digit == NULL)
			return -1;
		*c = *c * 16 + (uint32_t)(digit - hex);
	}
	*rest = span_skip(digits, (size_t)n + 1);
	return *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff) ? 0 : -1;
}

/* The character at the front of *rest, which moves behind it, in either form. -1 if there is none. */
static int
take_character(struct span *rest, uint32_t *c)
{
	size_t n = utf8_char(*rest, c);

	if (rest->p[0] == '\\')
		return take_embedded(rest, c) == 0 && utf8_is_printable(*c) ? 0 : -1;
	if (n == 0 || !utf8_is_printable(*c) || memchr("+= ", rest->p[0], 3) != NULL)
		return -1;
	*rest = span_skip(*rest, n);
	return 0;
}

bool
utf8_address_valid(struct span s)
{
	uint32_t c;

	if (s.len == 0)
		return false;
	while (s.len > 0)
		if (take_character(&s, &c) != 0)
			return false;
	return true;
}

static size_t
format(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

int
utf8_address_decode(struct span s, struct buf *out)
{
	char text[4];
	uint32_t c;

	if (s.len == 0)
		return -1;
	while (s.len > 0)
		if (take_character(&s, &c) != 0 || buf_add(out, text, format(c, text)) != 0)
			return -1;
	return 0;
}
