/* A journal file of any bytes: frames lie within it, the walk ends, and what is written is read. */
#include <stdlib.h>
#include <string.h>

#include "queue/journal_frame.h"

#define INSTANCE 1

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct span rest = span_make(data, size), body, whole;
	unsigned char *frame = malloc(JOURNAL_FRAME_HEADER + size);
	int r;

	while ((r = journal_frame_next(INSTANCE, &rest, &body)) == 1)
		if (body.p < (const char *)data ||
		    body.p + body.len > (const char *)data + size)
			abort();
	whole = rest;
	if (journal_frame_resync(INSTANCE, &rest)) {
		if (rest.p < whole.p || rest.p + rest.len != whole.p + whole.len ||
		    journal_frame_next(INSTANCE, &rest, &body) != 1)
			abort();
	} else if (rest.p != whole.p || rest.len != whole.len) {
		abort();
	}
	if (frame != NULL && size > 0 && size <= JOURNAL_RECORD_MAX) {
		journal_frame_header(INSTANCE, span_make(data, size), frame);
		memcpy(frame + JOURNAL_FRAME_HEADER, data, size);
		whole = span_make(frame, JOURNAL_FRAME_HEADER + size);
		if (journal_frame_next(INSTANCE, &whole, &body) != 1 || whole.len != 0 ||
		    body.len != size || memcmp(body.p, data, size) != 0)
			abort();
	}
	free(frame);
	return 0;
}
