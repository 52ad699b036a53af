/*
 * The header read along, in one piece and octet by octet: the same comes of both. And no mailbox finds a
 * Delivered-To field of its own (deliver/delivered_to) in what was let through here for it.
 */
#include "smtpd/header_scan.h"

#include "common/buf.h"

#include "deliver/delivered_to.h"
#include "tests/fuzz/must.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const char address[] = "bob@d.test";
	struct header_scan whole, bytewise;
	struct recipients all;
	struct buf content;

	recipients_init(&all);
	recipients_add(&all, &(struct recipient){.address = span_str(address), .hosted = true});
	buf_init(&content, size + 1);
	MUST(buf_add(&content, data, size) == 0 && buf_add_char(&content, '\n') == 0);
	header_scan_init(&whole, &all);
	header_scan_init(&bytewise, &all);
	header_scan_feed(&whole, buf_span(&content));
	for (size_t i = 0; i < content.len; i++)
		header_scan_feed(&bytewise, span_make(content.p + i, 1));
	MUST(whole.received == bytewise.received && whole.delivered == bytewise.delivered);
	MUST(whole.returned == bytewise.returned && whole.first == bytewise.first);
	MUST(!whole.returned || whole.delivered > 0);
	if (whole.first == HEADER_FIRST_FIELD &&
	    delivered_to_find(buf_span(&content), span_str(address)))
		MUST(whole.returned);
	buf_release(&content);
	recipients_release(&all);
	return 0;
}
