/*
 * address: RFC 5321 paths and mailboxes, RFC 6531 for UTF-8. See address.h.
 *
 * Called for every address that enters: MAIL, RCPT, sendmail(1), table files.
 * Parsing goes strictly from left to right; each step takes what it knows from
 * the front of a span. Invariant: the result is written as the last thing of a
 * successful parse, and what it holds parses to itself.
 */
#include "common/address.h"

#include <idn2.h>
#include <netinet/in.h>
#include <string.h>

#include "common/case_fold.h"
#include "common/local_part.h"
#include "common/netaddr.h"
#include "common/utf8.h"

/* RFC 1035 2.3.4: 255 octets on the wire are 253 in text; a label has 63. */
#define DOMAIN_TEXT_MAX 253
#define LABEL_MAX	63

static int
fail(const char **why, const char *text)
{
	if (why != NULL)
		*why = text;
	return -1;
}

static bool
is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void
lower_ascii(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] - 'A' + 'a');
}

struct span
address_span(const struct address *a)
{
	return span_make(a->text, a->len);
}

struct span
address_local(const struct address *a)
{
	return span_make(a->text, a->local_len);
}

struct span
address_domain(const struct address *a)
{
	/* Behind the at sign; nothing is there for <> and postmaster alone. */
	return span_skip(address_span(a), a->local_len + 1);
}

size_t
address_local_unquoted(const struct address *a, char out[LOCAL_PART_MAX + 1])
{
	size_t n = local_part_unquote(address_local(a), out);

	out[n] = '\0';
	return n;
}

/* --- domains --- */

/*
 * IDNA2008 look-up of one U-label without UTS-46 mapping (RFC 5891 5): nothing is
 * composed or dropped on the way, what is not in its final form is refused.
 */
static int
encode_final(const char *u_label, char out[LABEL_MAX + 1])
{
	uint8_t *a_label = NULL;
	size_t n = 0;

	if (idn2_lookup_u8((const uint8_t *)u_label, &a_label, IDN2_NO_TR46) == IDN2_OK)
		n = strlen((const char *)a_label);
	if (n > 0 && n <= LABEL_MAX)
		memcpy(out, a_label, n + 1);
	idn2_free(a_label);
	return n > 0 && n <= LABEL_MAX && strncmp(out, "xn--", 4) == 0 ? 0 : -1;
}

/* But capitals, which people write and no U-label has, are taken as their small letters (RFC 5895 2.1). */
static int
encode_label(const char *u_label, char out[LABEL_MAX + 1])
{
	char small[LABEL_MAX * 4 + 1];
	size_t n;

	if (encode_final(u_label, out) == 0)
		return 0;
	return case_lower(span_str(u_label), small, sizeof small, &n) == 0 &&
		       strcmp(small, u_label) != 0
		   ? encode_final(small, out)
		   : -1;
}

/*
 * An A-label has to decode and to come back the same through its U-label: a fake
 * one (plain ASCII inside, a disallowed character, another spelling) would be a
 * second name for something.
 */
static int
check_a_label(const char *a_label)
{
	char again[LABEL_MAX + 1], *u_label = NULL;
	int r = -1;

	if (idn2_to_unicode_8z8z(a_label, &u_label, 0) == IDN2_OK &&
	    encode_final(u_label, again) == 0 && strcmp(again, a_label) == 0)
		r = 0;
	idn2_free(u_label);
	return r;
}

/* Letters, digits and hyphens with no hyphen at either end (RFC 5321 4.1.2 sub-domain), further octets as allowed. */
static bool
is_label(struct span s, bool underscore, bool utf8)
{
	if (s.len == 0 || s.p[0] == '-' || s.p[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_letter_or_digit(s.p[i]) && s.p[i] != '-' &&
		    !(underscore && s.p[i] == '_') && !(utf8 && (unsigned char)s.p[i] >= 0x80))
			return false;
	return true;
}

/* One label to its canonical form in out. */
static int
canonical_label(struct span s, bool utf8, char out[LABEL_MAX + 1], const char **why)
{
	char label
	    [LABEL_MAX * 4 +
		1]; /* a character of a U-label is at most four octets, and one in its A-label */
	bool ascii = utf8_is_ascii(s);

	if (s.len == 0)
		return fail(why, "Empty label in the domain");
	if (!ascii && !utf8)
		return fail(why, "A domain in UTF-8 needs SMTPUTF8");
	if (s.len > (ascii ? LABEL_MAX : LABEL_MAX * 4))
		return fail(why, "Label longer than 63 octets in the domain");
	if (!is_label(s, false, utf8))
		return fail(why, "Malformed label in the domain");
	memcpy(label, s.p, s.len);
	label[s.len] = '\0';
	lower_ascii(label, s.len);
	if (!ascii)
		return encode_label(label, out) == 0
			   ? 0
			   : fail(why, "Label of the domain not allowed by IDNA2008");
	if (strncmp(label, "xn--", 4) == 0 && check_a_label(label) != 0)
		return fail(why, "Malformed A-label in the domain");
	memcpy(out, label, s.len + 1);
	return 0;
}

int
domain_canonical(
    struct span s, bool utf8, char out[DOMAIN_MAX + 1], size_t *len, const char **why)
{
	char text[DOMAIN_MAX + 1], label[LABEL_MAX + 1];
	struct span rest = s;
	size_t n = 0;

	if (s.len == 0)
		return fail(why, "No domain");
	while (rest.p != NULL) {
		size_t label_len;

		if (canonical_label(span_cut(&rest, '.'), utf8, label, why) != 0)
			return -1;
		label_len = strlen(label);
		if (n + label_len + (n > 0) > DOMAIN_TEXT_MAX)
			return fail(why, "Domain longer than 253 octets");
		if (n > 0)
			text[n++] = '.';
		memcpy(text + n, label, label_len);
		n += label_len;
	}
	memcpy(out, text, n);
	out[n] = '\0';
	*len = n;
	return 0;
}

/* RFC 5321 4.1.3: "::" stands for two groups of zeros at least, so at most six are written beside it. */
static bool
is_ipv6_literal(struct span s)
{
	struct netaddr a;
	size_t groups = 0;
	bool comp = false;

	if (span_index(s, ':') < 0 || netaddr_parse(s, &a) != 0)
		return false;
	for (struct span rest = s; rest.p != NULL;) {
		struct span group = span_cut(&rest, ':');

		groups += group.len == 0 ? 0 : span_index(group, '.') >= 0 ? 2 : 1;
		if (group.len == 0 && rest.p != NULL && group.p != s.p)
			comp = true;
	}
	return !comp || groups <= 6;
}

/*
 * The inside of [ ]: dotted quad or tagged IPv6, strictly, no zone. A general literal (RFC 5321 4.1.3)
 * needs a registered tag, and there is none but IPv6.
 */
static bool
is_literal(struct span s)
{
	struct netaddr a;

	if (span_starts_with_nocase(s, "IPv6:"))
		return is_ipv6_literal(span_skip(s, 5));
	return span_index(s, ':') < 0 && netaddr_parse(s, &a) == 0;
}

bool
address_helo_valid(struct span s)
{
	struct span rest = s;

	if (s.len == 0 || s.len > DOMAIN_MAX)
		return false;
	if (s.p[0] == '[')
		return s.p[s.len - 1] == ']' && is_literal(span_make(s.p + 1, s.len - 2));
	while (rest.p != NULL) {
		struct span label = span_cut(&rest, '.');

		if (label.len > LABEL_MAX || !is_label(label, true, false))
			return false;
	}
	return true;
}

/* --- mailboxes and paths --- */

/* `@a,@b:` at the front of *s: each a domain; the list is dropped (RFC 5321 appendix C). */
static int
drop_source_route(struct span *s, bool utf8, const char **why)
{
	char domain[DOMAIN_MAX + 1];
	struct span route = *s;
	ptrdiff_t colon = span_index(*s, ':');
	size_t n;

	if (colon < 0)
		return fail(why, "No local part");
	route = span_first(route, (size_t)colon);
	while (route.p != NULL) {
		struct span hop = span_cut(&route, ',');

		if (hop.len == 0 || hop.p[0] != '@' ||
		    domain_canonical(span_skip(hop, 1), utf8, domain, &n, NULL) != 0)
			return fail(why, "Malformed source route");
	}
	*s = span_skip(*s, (size_t)colon + 1);
	return 0;
}

/* What follows the at sign, to its canonical form in a->text behind *len. */
static int
parse_domain(struct span s, bool utf8, struct address *a, const char **why)
{
	char domain[DOMAIN_MAX + 1];
	size_t n = s.len;

	if (s.len > 0 && s.p[0] == '[') {
		if (s.len < 3 || s.len > DOMAIN_MAX || s.p[s.len - 1] != ']' ||
		    !is_literal(span_make(s.p + 1, s.len - 2)))
			return fail(why, "Malformed address literal");
		memcpy(domain, s.p, n);
		lower_ascii(domain, n);
		a->literal = true;
	} else if (domain_canonical(s, utf8, domain, &n, why) != 0) {
		return -1;
	}
	memcpy(a->text + a->len, domain, n);
	a->len += n;
	a->text[a->len] = '\0';
	return 0;
}

static int
parse_mailbox(struct span s, bool utf8, struct address *a, const char **why)
{
	struct address parsed = {.len = 0};
	struct span local;
	ptrdiff_t n = local_part_scan(s, utf8, why);

	if (n < 0)
		return -1;
	local = span_first(s, (size_t)n);
	s = span_skip(s, (size_t)n);
	if (s.len == 0)
		return fail(why, "No domain");
	if (s.p[0] != '@')
		return fail(why, "Text behind the quoted string");
	s = span_skip(s, 1);
	parsed.utf8 = !utf8_is_ascii(local) || !utf8_is_ascii(s);
	if (local_part_canonical(local, parsed.text, &parsed.local_len, why) != 0)
		return -1;
	parsed.text[parsed.local_len] = '@';
	parsed.len = parsed.local_len + 1;
	if (parse_domain(s, utf8, &parsed, why) != 0)
		return -1;
	*a = parsed;
	return 0;
}

int
address_parse(struct span s, unsigned flags, struct address *a, const char **why)
{
	bool utf8 = (flags & ADDRESS_UTF8) != 0;

	if (s.len == 0) {
		if ((flags & ADDRESS_ALLOW_EMPTY) == 0)
			return fail(why, "Empty address");
		*a = (struct address){.len = 0};
		return 0;
	}
	if ((flags & ADDRESS_POSTMASTER) != 0 && span_is_nocase(s, "postmaster")) {
		*a = (struct address){.text = "postmaster", .len = 10, .local_len = 10};
		return 0;
	}
	if (s.p[0] == '@' && drop_source_route(&s, utf8, why) != 0)
		return -1;
	return parse_mailbox(s, utf8, a, why);
}

/* Index of the > that closes the path s begins with (one in a quoted string does not), or -1. */
static ptrdiff_t
find_closing(struct span s)
{
	bool quoted = false;

	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == '\\' && quoted)
			i++;
		else if (s.p[i] == '>' && !quoted)
			return (ptrdiff_t)i;
	}
	return -1;
}

int
address_parse_path(struct span *rest, unsigned flags, struct address *a, const char **why)
{
	ptrdiff_t end;

	if (rest->len == 0 || rest->p[0] != '<')
		return fail(why, "No < in front of the address");
	end = find_closing(*rest);
	if (end < 0)
		return fail(why, "No > behind the address");
	if (address_parse(span_make(rest->p + 1, (size_t)end - 1), flags, a, why) != 0)
		return -1;
	*rest = span_skip(*rest, (size_t)end + 1);
	return 0;
}
