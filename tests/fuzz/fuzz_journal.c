/* A journal file of any bytes: frames lie within it, the walk ends, and what is written is read. */
#include <stdlib.h>
#include <string.h>

#include "queue/journal_frame.h"

#define INSTANCE 1

/* What a log begins with: what is understood is understood again when it was written by us. */
static void
try_log_record(struct span body)
{
	struct journal_log_record r, again;
	char text[JOURNAL_LOG_SIZE];
	size_t n;

	if (journal_log_record_parse(body, &r) != 0)
		return;
	n = journal_log_record_format(&r, text);
	if (n >= sizeof text || journal_log_record_parse(span_make(text, n), &again) != 0 ||
	    again.number != r.number || again.before != r.before)
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct span rest = span_make(data, size), body, whole;
	unsigned char *frame = malloc(JOURNAL_FRAME_HEADER + size);
	int r;

	try_log_record(rest);
	while ((r = journal_frame_next(INSTANCE, &rest, &body)) == 1) {
		try_log_record(body);
		if (body.p < (const char *)data ||
		    body.p + body.len > (const char *)data + size)
			abort();
	}
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
