/* fingerprint: SHA-256 as text. See fingerprint.h. */
#include "conf/fingerprint.h"

#include <stdio.h>
#include <string.h>

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p;

	if (c >= 'A' && c <= 'F')
		c = (char)(c - 'A' + 'a');
	p = c != '\0' ? strchr(digits, c) : NULL;
	return p != NULL ? (int)(p - digits) : -1;
}

int
fingerprint_parse(struct span s, char out[FINGERPRINT_SIZE])
{
	size_t step = s.len == 95 ? 3 : 2;

	if (s.len != 95 && s.len != 64)
		return -1;
	for (size_t i = 0; i < 32; i++) {
		int high = digit(s.p[i * step]), low = digit(s.p[i * step + 1]);

		if (high < 0 || low < 0 || (step == 3 && i < 31 && s.p[i * step + 2] != ':'))
			return -1;
		snprintf(out + 2 * i, 3, "%02x", (unsigned)(high << 4 | low) & 0xff);
	}
	return 0;
}

const char *
fingerprint_format(const unsigned char digest[32], char out[FINGERPRINT_SIZE])
{
	for (size_t i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return out;
}
