/* dsn_param: the values of the parameters of RFC 3461. See dsn_param.h. Called by the parsers of MAIL and RCPT. */
#include "smtpd/dsn_param.h"

#include <string.h>

#include "common/utf8.h"
#include "common/xtext.h"

bool
dsn_param_ret_valid(struct span value)
{
	return span_is_nocase(value, "FULL") || span_is_nocase(value, "HDRS");
}

bool
dsn_param_envid_valid(struct span value)
{
	return xtext_is_printable(value, DSN_ENVID_MAX);
}

bool
dsn_param_notify_valid(struct span value)
{
	static const char *const words[] = {"SUCCESS", "FAILURE", "DELAY"};
	struct span rest = value;
	unsigned seen = 0;

	if (span_is_nocase(value, "NEVER"))
		return true;
	while (rest.p != NULL) {
		struct span word = span_cut(&rest, ',');
		unsigned bit = 0;

		for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
			if (span_is_nocase(word, words[i]))
				bit = 1U << i;
		if (bit == 0 || (seen & bit) != 0)
			return false;
		seen |= bit;
	}
	return true;
}

/* The address type is an atom (RFC 3461 4.2). */
static bool
is_type(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return s.len > 0;
}

/* EmbeddedUnicodeChar of RFC 6533 3 at the front of *rest, which moves behind it. -1 if there is none. */
static int
take_embedded(struct span *rest, uint32_t *c)
{
	struct span digits = span_skip(*rest, 3);
	ptrdiff_t n = span_index(digits, '}');

	if (!span_starts_with(*rest, "\\x{") || n < 2 || n > 6 || digits.p[0] == '0')
		return -1;
	*c = 0;
	for (ptrdiff_t i = 0; i < n; i++) {
		static const char hex[] = "0123456789ABCDEF";
		const char *digit = memchr(hex, digits.p[i], sizeof hex - 1);

		if (digit == NULL)
			return -1;
		*c = *c * 16 + (uint32_t)(digit - hex);
	}
	*rest = span_skip(digits, (size_t)n + 1);
	return *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff) ? 0 : -1;
}

/* utf-8-enc-addr of RFC 6533 3: what is left when nothing in it could end a line or hide. */
static bool
is_utf8_address(struct span s)
{
	if (s.len == 0)
		return false;
	while (s.len > 0) {
		uint32_t c;
		size_t n = utf8_char(s, &c);

		if (s.p[0] == '\\') {
			if (take_embedded(&s, &c) != 0 || !utf8_is_printable(c))
				return false;
			continue;
		}
		if (n == 0 || !utf8_is_printable(c) || memchr("+= ", s.p[0], 3) != NULL)
			return false;
		s = span_skip(s, n);
	}
	return true;
}

bool
dsn_param_orcpt_valid(struct span value)
{
	struct span rest = value, type = span_cut(&rest, ';');

	if (value.len > DSN_ORCPT_MAX || !is_type(type) || rest.p == NULL)
		return false;
	return span_is_nocase(type, "utf-8") ? is_utf8_address(rest)
					     : xtext_is_printable(rest, DSN_ORCPT_MAX);
}
