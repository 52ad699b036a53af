/* Envelopes as read back from a spool: parse, format, parse again gives the same. */
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "queue/spool_envelope.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct envelope e, again;
	struct buf b;

	if (envelope_parse(span_make(data, size), &e) != 0)
		return 0;
	buf_init(&b, ENVELOPE_MAX * 2);
	if (envelope_format(&e, &b) == 0) {
		if (envelope_parse(buf_span(&b), &again) != 0 ||
		    again.nrecipients != e.nrecipients || !span_eq(again.from, e.from))
			abort();
		for (size_t i = 0; i < e.nrecipients; i++)
			if (!span_eq(e.recipients[i].address, again.recipients[i].address))
				abort();
		envelope_release(&again);
	}
	buf_release(&b);
	envelope_release(&e);
	return 0;
}
