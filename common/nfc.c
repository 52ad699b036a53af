/*
 * nfc: Unicode normalization form C by libidn2. See nfc.h. Called for each local part with
 * octets above 127.
 *
 * The library looks at whole labels. An ASCII character joins with nothing before it, so a string
 * falls into pieces that each begin with one (or with none, the first) and
 * are looked at alone; no character of one piece changes the form of another.
 */
#include "common/nfc.h"

#include <idn2.h>
#include <stdbool.h>
#include <string.h>

#include "common/limits.h"

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Octets at the front of s that need no look: up to where a letter, or nothing, stands before one above 127. */
static size_t
plain_run(struct span s)
{
	size_t n = 0;

	while (n < s.len && (unsigned char)s.p[n] < 0x80)
		n++;
	return n > 0 && n < s.len && is_letter(s.p[n - 1]) ? n - 1 : n;
}

/* Octets of the piece that s begins with then. */
static size_t
piece_run(struct span s)
{
	size_t n = 1;

	while (n < s.len && (unsigned char)s.p[n] >= 0x80)
		n++;
	return n;
}

/* Form C is looked at before anything else the library has against a label. */
static bool
is_normal(const char *piece)
{
	uint8_t *a_label = NULL;
	int r = idn2_lookup_u8((const uint8_t *)piece, &a_label, IDN2_NO_TR46);

	idn2_free(a_label);
	return r != IDN2_NOT_NFC;
}

/* There and back through the A-label of the piece in form C. NULL if there is none; free with idn2_free. */
static char *
normalize(const char *piece)
{
	uint8_t *a_label = NULL;
	char *again = NULL;

	if (idn2_lookup_u8((const uint8_t *)piece, &a_label, IDN2_NO_TR46 | IDN2_NFC_INPUT) ==
		IDN2_OK &&
	    idn2_to_unicode_8z8z((const char *)a_label, &again, 0) != IDN2_OK)
		again = NULL;
	idn2_free(a_label);
	return again;
}

static int
add(struct span s, char *out, size_t size, size_t *len)
{
	if (s.len > size - *len)
		return -1;
	memcpy(out + *len, s.p, s.len);
	*len += s.len;
	return 0;
}

/* A piece in form C behind what is in out. */
static int
add_piece(struct span piece, char *out, size_t size, size_t *len)
{
	char text[ADDRESS_MAX + 1], *again;
	int r = -1;

	if (piece.len > ADDRESS_MAX)
		return -1;
	memcpy(text, piece.p, piece.len);
	text[piece.len] = '\0';
	if (is_normal(text))
		return add(piece, out, size, len);
	again = normalize(text);
	if (again != NULL)
		r = add(span_str(again), out, size, len);
	idn2_free(again);
	return r;
}

int
nfc_format(struct span s, char *out, size_t size, size_t *len)
{
	*len = 0;
	while (s.len > 0) {
		size_t n = plain_run(s);

		if (n > 0 && add(span_first(s, n), out, size, len) != 0)
			return -1;
		s = span_skip(s, n);
		n = s.len > 0 ? piece_run(s) : 0;
		if (n > 0 && add_piece(span_first(s, n), out, size, len) != 0)
			return -1;
		s = span_skip(s, n);
	}
	return 0;
}
