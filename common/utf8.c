/* utf8: strict UTF-8 (RFC 3629). See utf8.h. */
#include "common/utf8.h"

size_t
utf8_char(struct span s, uint32_t *c)
{
	const unsigned char *p = (const unsigned char *)s.p;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t v;
	size_t n;

	if (s.len == 0)
		return 0;
	if (p[0] < 0x80) {
		n = 1;
		v = p[0];
	} else if ((p[0] & 0xe0) == 0xc0) {
		n = 2;
		v = p[0] & 0x1f;
	} else if ((p[0] & 0xf0) == 0xe0) {
		n = 3;
		v = p[0] & 0x0f;
	} else if ((p[0] & 0xf8) == 0xf0) {
		n = 4;
		v = p[0] & 0x07;
	} else {
		return 0;
	}
	if (s.len < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	if (c != NULL)
		*c = v;
	return n;
}

bool
utf8_is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

bool
utf8_valid(struct span s)
{
	while (s.len > 0) {
		size_t n = utf8_char(s, NULL);

		if (n == 0)
			return false;
		s = span_skip(s, n);
	}
	return true;
}

bool
utf8_is_printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	if (c >= 0x200b && c <= 0x200f) /* zero-width, direction marks */
		return false;
	if (c >= 0x2028 && c <= 0x202e) /* separators, bidi embedding */
		return false;
	if (c >= 0x2060 && c <= 0x206f) /* invisible operators, bidi isolates */
		return false;
	return c != 0xfeff && c != 0xad;
}

size_t
utf8_printable(struct span s)
{
	size_t total = 0;

	while (s.len > 0 && s.p[0] >= 0x20 && s.p[0] < 0x7f) { /* what nearly everything is */
		total++;
		s = span_skip(s, 1);
	}
	while (s.len > 0) {
		uint32_t c;
		size_t n = utf8_char(s, &c);

		if (n == 0 || !utf8_is_printable(c))
			break;
		total += n;
		s = span_skip(s, n);
	}
	return total;
}
