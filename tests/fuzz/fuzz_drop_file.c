/*
 * fuzz_drop_file: any octets as the beginning of a file in drop/. Invariants:
 * what is taken can be written and is then read to the same values; no value
 * can add a field; the head never reaches beyond what was given.
 */
#include "queue/drop_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span head = span_make(data, size);
	struct drop_file d, again;
	size_t head_size, again_size;
	const char *why = NULL;
	struct buf out;

	switch (drop_file_parse(head, &d, &head_size, &why)) {
	case DROP_SHORT:
		check(why != NULL && size < DROP_HEAD_MAX);
		return 0;
	case DROP_BAD:
		check(why != NULL && d.arena == NULL);
		return 0;
	case DROP_OK:
		break;
	}
	check(head_size <= size && d.nrecipients > 0);
	buf_init(&out, 2 * DROP_HEAD_MAX);
	check(drop_file_format(&d, &out) == 0);
	check(drop_file_parse(buf_span(&out), &again, &again_size, &why) == DROP_OK);
	check(again_size == out.len);
	check(span_eq(again.from, d.from) && again.nrecipients == d.nrecipients);
	for (size_t i = 0; i < d.nrecipients; i++)
		check(span_eq(again.recipients[i], d.recipients[i]));
	check(again.size == d.size && again.eight_bit == d.eight_bit && again.utf8 == d.utf8);
	check(span_eq(again.envid, d.envid) && span_eq(again.ret, d.ret) &&
	      span_eq(again.notify, d.notify));
	drop_file_release(&again);
	drop_file_release(&d);
	buf_release(&out);
	return 0;
}
