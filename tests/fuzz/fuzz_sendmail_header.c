/*
 * fuzz_sendmail_header: any octets as what a local program hands over. Invariants:
 * no Bcc field leaves; what was completed is a header to its last octet, and is
 * complete; every recipient is a canonical address; a scan in pieces ends where one
 * scan ends.
 */
#include "queue/sendmail_header.h"

#include <stdlib.h>
#include <string.h>

#include "common/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
on_bad_address(struct span field, struct span text, const char *why, void *arg)
{
	size_t *bad = arg;

	check(field.len > 0 && why != NULL && (text.len == 0 || text.p[text.len - 1] != '\n'));
	++*bad;
}

static void
complete(struct span header, struct buf *out, struct sendmail_recipients *r)
{
	size_t bad = 0;
	struct sendmail_header_job job = {.hostname = "mx.test",
	    .sender = "bob@mx.test",
	    .full_name = "B\xc3\xb6"
			 "b",
	    .unique = "1.abc",
	    .recipients = r,
	    .on_bad_address = on_bad_address,
	    .arg = &bad};

	check(sendmail_header_complete(header, &job, out) == 0);
}

static void
check_no_bcc(struct span header)
{
	while (header.len > 0) {
		struct span line = span_cut(&header, '\n'), name = span_cut(&line, ':');

		if (name.len > 0 && (name.p[0] == ' ' || name.p[0] == '\t'))
			continue; /* folded */
		name = span_trim(name);
		check(!span_is_nocase(name, "Bcc") && !span_is_nocase(name, "Resent-Bcc"));
	}
}

static void
check_recipients(const struct sendmail_recipients *r)
{
	struct address a;
	const char *why;

	for (size_t i = 0; i < r->n; i++) {
		check(address_parse(span_str(r->v[i]->address), ADDRESS_UTF8, &a, &why) == 0);
		check(strcmp(a.text, r->v[i]->address) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make(data, size);
	struct sendmail_recipients r;
	struct buf once, twice;
	size_t at = 0, pieces = 0;

	sendmail_header_scan(text, &at);
	for (size_t n = 0; n <= size && !sendmail_header_scan(span_first(text, n), &pieces);
	     n++)
		;
	check(at <= size && pieces == at);

	sendmail_recipients_init(&r);
	buf_init(&once, 64 * (size + 64));
	buf_init(&twice, 64 * (size + 64));
	complete(span_first(text, at), &once, &r);
	check_no_bcc(buf_span(&once));
	check_recipients(&r);
	at = 0;
	check(!sendmail_header_scan(buf_span(&once), &at) && at == once.len);
	complete(buf_span(&once), &twice, &r);
	check(span_eq(buf_span(&once), buf_span(&twice)));
	sendmail_recipients_release(&r);
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
