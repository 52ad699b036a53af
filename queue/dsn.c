/* dsn: NOTIFY, ORCPT and addresses for reports. See dsn.h. */
#include "queue/dsn.h"

#include <stdbool.h>
#include <string.h>

#include "common/limits.h"
#include "common/utf8.h"
#include "common/utf8_address.h"
#include "common/xtext.h"

/* Of an address in a field of a report, so that the line stays below the 998 of RFC 5322 2.1.1. */
#define ADDRESS_ROOM 900
#define ORCPT_MAX    500 /* RFC 3461 5.1 */

static const struct {
	const char *word;
	unsigned bit;
} words[] = {
    {"NEVER", NOTIFY_NEVER},
    {"SUCCESS", NOTIFY_SUCCESS},
    {"FAILURE", NOTIFY_FAILURE},
    {"DELAY", NOTIFY_DELAY},
};

unsigned
dsn_notify_parse(struct span value)
{
	struct span rest = value;
	unsigned set = 0;

	while (rest.len > 0) {
		struct span word = span_cut(&rest, ',');
		unsigned bit = 0;

		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			if (span_is_nocase(word, words[i].word))
				bit = words[i].bit;
		if (bit == 0)
			return NOTIFY_DEFAULT;
		set |= bit;
	}
	if (set == 0 || ((set & NOTIFY_NEVER) != 0 && set != NOTIFY_NEVER))
		return NOTIFY_DEFAULT;
	return set;
}

const char *
dsn_notify_format(unsigned notify)
{
	static const char *const sets[] = {"", "SUCCESS", "FAILURE", "SUCCESS,FAILURE", "DELAY",
	    "SUCCESS,DELAY", "FAILURE,DELAY", "SUCCESS,FAILURE,DELAY"};

	if ((notify & NOTIFY_IMPLIED) != 0)
		return "";
	if ((notify & NOTIFY_NEVER) != 0)
		return "NEVER";
	return sets[(notify >> 1) & 7];
}

unsigned
dsn_notify_expanded(unsigned notify, size_t targets)
{
	unsigned rest = notify & ~(unsigned)NOTIFY_SUCCESS;

	if (targets < 2)
		return notify;
	return rest != 0 ? rest : NOTIFY_NEVER;
}

/* A run that cannot be mistaken for anything else. */
static bool
is_plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

static int
add_character(struct buf *out, struct span *rest)
{
	uint32_t c = 0;
	size_t n = utf8_char(*rest, &c);
	struct span octet = span_first(*rest, 1);

	if (n > 1) {
		*rest = span_skip(*rest, n);
		return buf_addf(out, "\\x{%X}", (unsigned)c);
	}
	*rest = span_skip(*rest, 1);
	if (is_plain(octet))
		return buf_add_span(out, octet);
	return buf_addf(out, "\\x%02x", (unsigned char)octet.p[0]);
}

int
dsn_add_ascii(struct buf *out, struct span s)
{
	while (s.len > 0)
		if (add_character(out, &s) != 0)
			return -1;
	return 0;
}

/* As dsn_add_ascii, in the form that can be read back: a backslash is a character like those beyond ASCII. */
static int
add_utf8_address(struct buf *out, struct span s)
{
	while (s.len > 0) {
		bool escape = memchr("\\+= ", s.p[0], 4) != NULL;
		int r = escape ? buf_addf(out, "\\x{%X}", (unsigned char)s.p[0])
			       : add_character(out, &s);

		if (r != 0)
			return -1;
		if (escape)
			s = span_skip(s, 1);
	}
	return 0;
}

bool
dsn_type_valid(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-')
			return false;
	}
	return s.len > 0;
}

static int
add_original(struct buf *out, struct span orcpt, bool global)
{
	struct span address = orcpt, type = span_cut(&address, ';');
	bool utf8 = span_is_nocase(type, "utf-8");
	struct buf decoded, line;
	int r = -1;

	buf_init(&decoded, ADDRESS_ROOM);
	buf_init(&line, ADDRESS_ROOM);
	if (address.p == NULL || !dsn_type_valid(type))
		goto done;
	if (utf8 ? utf8_address_decode(address, &decoded) != 0
		 : xtext_decode(address, &decoded) != 0)
		goto done;
	/* Postfix calls such an address rfc822. */
	if (!utf8 && !is_plain(buf_span(&decoded)) &&
	    utf8_printable(buf_span(&decoded)) == decoded.len) {
		utf8 = true;
		type = span_str("utf-8");
	}
	buf_add_span(&line, type);
	buf_add_str(&line, "; ");
	r = utf8 && global ? buf_add_span(&line, buf_span(&decoded))
	    : utf8	   ? add_utf8_address(&line, buf_span(&decoded))
			   : dsn_add_ascii(&line, buf_span(&decoded));
	if (r == 0)
		r = buf_add_span(out, buf_span(&line));
done:
	buf_release(&decoded);
	buf_release(&line);
	return r;
}

int
dsn_add_original(struct buf *out, struct span orcpt)
{
	return add_original(out, orcpt, false);
}

int
dsn_add_original_utf8(struct buf *out, struct span orcpt)
{
	return add_original(out, orcpt, true);
}

static int
add_address(struct buf *out, struct span address, bool global)
{
	struct buf line;
	int r;

	buf_init(&line, ADDRESS_ROOM);
	buf_add_str(&line, is_plain(address) ? "rfc822; " : "utf-8; ");
	/* No canonical address is so long that part of it would be missing. */
	if (is_plain(address) || (global && utf8_printable(address) == address.len))
		(void)buf_add_span(&line, span_first(address, ADDRESS_MAX));
	else
		(void)add_utf8_address(&line, address);
	r = buf_add_span(out, buf_span(&line));
	buf_release(&line);
	return r;
}

int
dsn_add_address(struct buf *out, struct span address)
{
	return add_address(out, address, false);
}

int
dsn_add_address_utf8(struct buf *out, struct span address)
{
	return add_address(out, address, true);
}

int
dsn_add_orcpt(struct buf *out, struct span address)
{
	if (is_plain(address))
		return buf_add_str(out, "rfc822;") != 0 || xtext_encode(address, out) != 0 ? -1
											   : 0;
	return buf_add_str(out, "utf-8;") != 0 || add_utf8_address(out, address) != 0 ? -1 : 0;
}

int
dsn_add_given_orcpt(struct buf *out, struct span orcpt)
{
	struct span address = orcpt, type = span_cut(&address, ';');
	struct buf decoded, coded;
	int r = -1;

	if (address.p == NULL || !dsn_type_valid(type))
		return -1;
	if (orcpt.len <= ORCPT_MAX && !span_is_nocase(type, "utf-8") &&
	    xtext_is_printable(address, ORCPT_MAX))
		return buf_add_span(out, orcpt);
	/* In ASCII, whatever the server knows; under the type that it is. */
	buf_init(&decoded, ORCPT_MAX);
	buf_init(&coded, ORCPT_MAX);
	if ((span_is_nocase(type, "utf-8") ? utf8_address_decode(address, &decoded) == 0
					   : xtext_is_utf8(address, ORCPT_MAX) &&
						 xtext_decode(address, &decoded) == 0) &&
	    buf_add_str(&coded, "utf-8;") == 0)
		r = add_utf8_address(&coded, buf_span(&decoded));
	if (r == 0)
		r = buf_add_span(out, buf_span(&coded));
	buf_release(&decoded);
	buf_release(&coded);
	return r;
}
