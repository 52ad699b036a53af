/*
 * fuzz_maildirsize: any octets as a Maildir's maildirsize, and as the name of a
 * message in it. Sums are never negative nor absurd, and what we write we read.
 */
#include "conf/maildirsize.h"
#include "tests/fuzz/must.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	struct maildirsize m, again;
	uint64_t octets = 0;
	struct buf text;

	if (maildirsize_of_name(in, &octets))
		MUST(octets <= INT64_MAX / 8192 && size >= 4);
	if (maildirsize_parse(in, &m) != 0)
		return 0;
	MUST(size <= MAILDIRSIZE_MAX && m.lines > 0 && m.lines < MAILDIRSIZE_MAX);
	MUST(m.octets <= INT64_MAX && m.messages <= INT64_MAX);
	if (m.octets > INT64_MAX / 8192 || m.messages > INT64_MAX / 8192)
		return 0;
	buf_init(&text, 1024);
	maildirsize_format(&text, m.limit, m.octets, m.messages);
	MUST(maildirsize_parse(buf_span(&text), &again) == 0);
	MUST(again.limit == m.limit && again.octets == m.octets &&
	     again.messages == m.messages && again.lines == 1 && !again.foreign);
	buf_release(&text);
	return 0;
}
