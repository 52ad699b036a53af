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

/* Line and paragraph separators, and Default_Ignorable_Code_Point of Unicode 14 (DerivedCoreProperties.txt). */
static const struct {
	uint32_t first, last;
} unseen[] = {
    {0xad, 0xad},	/* soft hyphen */
    {0x34f, 0x34f},	/* grapheme joiner */
    {0x61c, 0x61c},	/* Arabic letter mark */
    {0x115f, 0x1160},	/* Hangul fillers */
    {0x17b4, 0x17b5},	/* Khmer inherent vowels */
    {0x180b, 0x180f},	/* Mongolian variation selectors */
    {0x200b, 0x200f},	/* zero-width, direction marks */
    {0x2028, 0x202e},	/* separators, bidi embedding */
    {0x2060, 0x206f},	/* invisible operators, bidi isolates */
    {0x3164, 0x3164},	/* Hangul filler */
    {0xfe00, 0xfe0f},	/* variation selectors */
    {0xfeff, 0xfeff},	/* byte order mark */
    {0xffa0, 0xffa0},	/* halfwidth Hangul filler */
    {0xfff0, 0xfff8},	/* not assigned */
    {0x1bca0, 0x1bca3}, /* shorthand format controls */
    {0x1d173, 0x1d17a}, /* musical format controls */
    {0xe0000, 0xe0fff}, /* tags, variation selectors */
};

bool
utf8_is_printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	for (size_t i = 0; i < sizeof unseen / sizeof *unseen && c >= unseen[i].first; i++)
		if (c <= unseen[i].last)
			return false;
	return true;
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
