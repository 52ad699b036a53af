/*
 * local_part: dot-strings and quoted strings. See local_part.h. Called by common/address and conf/access_forms.
 * Invariant: what local_part_canonical and local_part_format write is found whole by local_part_scan, is its own
 * canonical form, and the one that local_part_format makes of its plain text.
 */
#include "common/local_part.h"

#include <string.h>

#include "common/nfc.h"
#include "common/utf8.h"

static const char too_long[] = "Local part longer than 64 octets";

static int
fail(const char **why, const char *text)
{
	if (why != NULL)
		*why = text;
	return -1;
}

/* RFC 5322 3.2.3 */
static bool
is_atext(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/*
 * Length of the character at the front of s if it may stand in a local part
 * outside ASCII: well-formed and visible (RFC 6531 3.3; a zero-width or
 * direction character would make two addresses look like one). Else 0.
 */
static size_t
utf8_in_local(struct span s)
{
	uint32_t c;
	size_t n = utf8_char(s, &c);

	return n > 1 && utf8_is_printable(c) ? n : 0;
}

static int
bad_octet(struct span rest, bool utf8, const char **why)
{
	if (rest.len > 0 && (unsigned char)rest.p[0] >= 0x80)
		return fail(why, utf8 ? "Malformed UTF-8 in the local part"
				      : "A local part in UTF-8 needs SMTPUTF8");
	return fail(why, "Malformed local part");
}

/* Length of the dot-string at the front of s, or -1. */
static ptrdiff_t
scan_dot_string(struct span s, bool utf8, const char **why)
{
	size_t n = 0;
	bool after_dot = true;

	while (n < s.len && s.p[n] != '@') {
		struct span rest = span_skip(s, n);
		size_t step = is_atext(s.p[n]) ? 1 : utf8 ? utf8_in_local(rest) : 0;

		if (s.p[n] == '.') {
			if (after_dot)
				return fail(why,
				    "Dot at the beginning of the local part or two dots in it");
			after_dot = true;
			n++;
			continue;
		}
		if (step == 0)
			return bad_octet(rest, utf8, why);
		after_dot = false;
		n += step;
	}
	if (n == 0)
		return fail(why, "No local part");
	return after_dot ? fail(why, "Dot at the end of the local part") : (ptrdiff_t)n;
}

/* Length of the quoted string at the front of s, with its quotes, or -1. */
static ptrdiff_t
scan_quoted(struct span s, bool utf8, const char **why)
{
	size_t n = 1;

	while (n < s.len && s.p[n] != '"') {
		struct span rest = span_skip(s, n);
		size_t step;

		if (s.p[n] == '\\') {
			if (rest.len < 2 || rest.p[1] < 0x20 || rest.p[1] > 0x7e)
				return fail(why, "Malformed quoted-pair in the local part");
			n += 2;
			continue;
		}
		step = s.p[n] >= 0x20 && s.p[n] <= 0x7e ? 1 : utf8 ? utf8_in_local(rest) : 0;
		if (step == 0)
			return bad_octet(rest, utf8, why);
		n += step;
	}
	return n < s.len ? (ptrdiff_t)n + 1 : fail(why, "Unterminated quoted string");
}

ptrdiff_t
local_part_scan(struct span s, bool utf8, const char **why)
{
	ptrdiff_t n = s.len > 0 && s.p[0] == '"' ? scan_quoted(s, utf8, why)
						 : scan_dot_string(s, utf8, why);

	if (n > LOCAL_PART_MAX)
		return fail(why, too_long);
	return n;
}

size_t
local_part_unquote(struct span local, char out[LOCAL_PART_MAX])
{
	size_t n = 0;

	if (local.len < 2 || local.p[0] != '"') {
		memcpy(out, local.p, local.len);
		return local.len;
	}
	for (size_t i = 1; i + 1 < local.len; i++) {
		if (local.p[i] == '\\')
			i++;
		out[n++] = local.p[i];
	}
	return n;
}

/* plain in quotes to out, which has room for twice its length and two: returns the length. */
static size_t
quote(struct span plain, char *out)
{
	size_t n = 0;

	out[n++] = '"';
	for (size_t i = 0; i < plain.len; i++) {
		if (plain.p[i] == '"' || plain.p[i] == '\\')
			out[n++] = '\\';
		out[n++] = plain.p[i];
	}
	out[n++] = '"';
	return n;
}

static int
compose(struct span local, char out[LOCAL_PART_MAX], size_t *len, const char **why)
{
	if (utf8_is_ascii(local)) {
		memcpy(out, local.p, local.len);
		*len = local.len;
		return 0;
	}
	if (nfc_format(local, out, LOCAL_PART_MAX, len) != 0)
		return fail(why, "The local part is not in Unicode normalization form C");
	return 0;
}

int
local_part_format(struct span plain, char out[LOCAL_PART_MAX], size_t *len, const char **why)
{
	char quoted[2 * LOCAL_PART_MAX + 2];
	struct span s;

	if (plain.len > LOCAL_PART_MAX)
		return fail(why, too_long);
	if (scan_dot_string(plain, true, NULL) == (ptrdiff_t)plain.len)
		return compose(plain, out, len, why);
	s = span_make(quoted, quote(plain, quoted));
	return local_part_scan(s, true, why) < 0 ? -1 : compose(s, out, len, why);
}

int
local_part_canonical(struct span local, char out[LOCAL_PART_MAX], size_t *len, const char **why)
{
	char plain[LOCAL_PART_MAX];

	if (local.p[0] != '"')
		return compose(local, out, len, why);
	return local_part_format(
	    span_make(plain, local_part_unquote(local, plain)), out, len, why);
}
