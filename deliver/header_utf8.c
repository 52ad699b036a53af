/* header_utf8: octets above 127 in a header. See header_utf8.h. Called by relay for each message with SMTPUTF8. */
#include "deliver/header_utf8.h"

#define CHUNK 4096

/* Looks at a piece of the header; *line is how many octets its present line has. True once the answer is known. */
static bool
scan(struct span s, size_t *line, bool *found)
{
	for (size_t i = 0; i < s.len; i++) {
		*found = (unsigned char)s.p[i] >= 0x80;
		if (*found || (s.p[i] == '\n' && *line == 0))
			return true;
		*line = s.p[i] == '\n' ? 0 : *line + 1;
	}
	return false;
}

bool
header_utf8_find(const struct job *j)
{
	char chunk[CHUNK];
	uint64_t at = 0;
	size_t line = 0;
	bool found = false;

	while (at < HEADER_UTF8_SCAN_MAX) {
		ssize_t n = job_read(j, at, chunk, sizeof chunk);

		if (n < 0)
			return true;
		if (n == 0 || scan(span_make(chunk, (size_t)n), &line, &found))
			return found;
		at += (uint64_t)n;
	}
	return true;
}
