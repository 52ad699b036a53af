/* base64: octets as text. See base64.h. Used for AUTH (RFC 4954 4) and stored passwords. */
#include "common/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of a character, or -1. */
static int
value_of(char c)
{
	const char *found = c != '\0' ? strchr(alphabet, c) : NULL;

	return found != NULL ? (int)(found - alphabet) : -1;
}

/* The octets of four characters; 0 if they are wrong. last: padding may stand in them. */
static size_t
decode_four(const char *p, bool last, unsigned char out[3])
{
	size_t n = !last || p[3] != '=' ? 4 : p[2] != '=' ? 3 : 2;
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int v = i < n ? value_of(p[i]) : 0;

		if (v < 0)
			return 0;
		bits = bits << 6 | (uint32_t)v;
	}
	out[0] = (unsigned char)(bits >> 16);
	out[1] = (unsigned char)(bits >> 8);
	out[2] = (unsigned char)bits;
	for (size_t i = n - 1; i < 3; i++)
		if (out[i] != 0)
			return 0;
	return n - 1;
}

int
base64_decode(struct span s, struct buf *out)
{
	size_t before = out->len;

	if (s.len % 4 != 0)
		return -1;
	for (size_t i = 0; i < s.len; i += 4) {
		unsigned char octets[3];
		size_t n = decode_four(s.p + i, i + 4 == s.len, octets);

		if (n == 0 || buf_add(out, octets, n) != 0) {
			out->len = before;
			return -1;
		}
	}
	return 0;
}

int
base64_encode(struct span s, struct buf *out)
{
	if (buf_reserve(out, (s.len + 2) / 3 * 4) != 0)
		return -1;
	for (size_t i = 0; i < s.len; i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t bits = 0;
		char text[4];

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < n ? (unsigned char)s.p[i + k] : 0U);
		for (size_t k = 0; k < 4; k++)
			text[k] = k <= n ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
		buf_add(out, text, 4);
	}
	return 0;
}
