/*
 * fuzz_address: any octets as an address. What is accepted is canonical: it
 * parses to itself, holds nothing that could end a command or a log line, and
 * keeps the limits; its local part comes back from its plain text. The first octet chooses the flags.
 */
#include "common/address.h"
#include "common/local_part.h"
#include "common/utf8.h"
#include "tests/fuzz/must.h"

static void
check_accepted(const struct address *a, unsigned flags)
{
	struct span domain = address_domain(a);
	char local[LOCAL_PART_MAX + 1], canonical[LOCAL_PART_MAX];
	struct address again;
	size_t len;

	MUST(a->len == strlen(a->text) && a->len <= ADDRESS_MAX);
	MUST(!span_has_control(address_span(a)) && utf8_valid(address_span(a)));
	MUST(a->local_len <= LOCAL_PART_MAX);
	MUST(address_local_unquoted(a, local) <= a->local_len);
	MUST(!span_has_control(span_str(local)));
	if (a->len > 0) {
		MUST(local_part_format(span_str(local), canonical, &len, NULL) == 0);
		MUST(span_eq(span_make(canonical, len), address_local(a)));
	}
	for (size_t i = 0; i < domain.len; i++)
		MUST((unsigned char)domain.p[i] < 0x80 &&
		     (domain.p[i] < 'A' || domain.p[i] > 'Z'));
	MUST(address_parse(address_span(a), flags, &again, NULL) == 0);
	MUST(span_eq(address_span(a), address_span(&again)) && a->local_len == again.local_len);
	MUST(a->literal == again.literal);
	if (!a->literal && domain.len > 0)
		MUST(address_helo_valid(domain));
	if ((flags & ADDRESS_UTF8) == 0)
		MUST(!a->utf8);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in, rest;
	struct address a, path;
	const char *why = NULL;
	char text[2100];
	unsigned flags;
	int r;

	if (size == 0 || size + 3 > sizeof text)
		return 0;
	flags = data[0] & (ADDRESS_UTF8 | ADDRESS_ALLOW_EMPTY | ADDRESS_POSTMASTER);
	in = span_make(data + 1, size - 1);
	r = address_parse(in, flags, &a, &why);
	if (r == 0)
		check_accepted(&a, flags);
	else
		MUST(why != NULL);

	/* In brackets it is the same, and what follows stays where it is. */
	text[0] = '<';
	memcpy(text + 1, data + 1, size - 1);
	memcpy(text + size, "> X", 3);
	rest = span_make(text, size + 3);
	if (address_parse_path(&rest, flags, &path, NULL) == 0 && span_is(rest, " X"))
		MUST(r == 0 && span_eq(address_span(&a), address_span(&path)));
	else
		MUST(r != 0);
	(void)address_helo_valid(in);
	return 0;
}
