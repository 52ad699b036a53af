/* journal_frame: the bytes of journal files. See journal_frame.h. */
#include "queue/journal_frame.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/crc32c.h"

static uint32_t
frame_crc(uint64_t instance, struct span body)
{
	uint64_t seed = htobe64(instance);

	return crc32c(crc32c(0, &seed, sizeof seed), body.p, body.len);
}

void
journal_frame_header(uint64_t instance, struct span body, unsigned char h[JOURNAL_FRAME_HEADER])
{
	uint32_t v[2] = {htobe32((uint32_t)body.len), htobe32(frame_crc(instance, body))};

	memcpy(h, v, sizeof v);
}

size_t
journal_log_record_format(const struct journal_log_record *r, char out[JOURNAL_LOG_SIZE])
{
	return (size_t)snprintf(out, JOURNAL_LOG_SIZE,
	    JOURNAL_LOG_RECORD "%" PRIu64 " %" PRIu64, r->number, r->before);
}

int
journal_log_record_parse(struct span body, struct journal_log_record *r)
{
	if (!span_starts_with(body, JOURNAL_LOG_RECORD))
		return -1;
	body = span_skip(body, strlen(JOURNAL_LOG_RECORD));
	if (span_to_u64(span_cut(&body, ' '), UINT64_MAX, &r->number) != 0 ||
	    span_to_u64(body, UINT64_MAX, &r->before) != 0)
		return -1;
	return 0;
}

int
journal_frame_next(uint64_t instance, struct span *rest, struct span *body)
{
	uint32_t v[2];

	if (rest->len < JOURNAL_FRAME_HEADER)
		return rest->len == 0 ? 0 : -1;
	memcpy(v, rest->p, sizeof v);
	if (v[0] == 0)
		return 0;
	*body = span_first(span_skip(*rest, JOURNAL_FRAME_HEADER), be32toh(v[0]));
	if (be32toh(v[0]) > JOURNAL_RECORD_MAX || body->len != be32toh(v[0]) ||
	    frame_crc(instance, *body) != be32toh(v[1]))
		return -1;
	*rest = span_skip(*rest, JOURNAL_FRAME_HEADER + body->len);
	return 1;
}

bool
journal_frame_resync(uint64_t instance, struct span *rest)
{
	struct span at = *rest, body;

	while (at.len >= JOURNAL_FRAME_HEADER) {
		const char *flush =
		    memmem(at.p, at.len, JOURNAL_FLUSH_RECORD, strlen(JOURNAL_FLUSH_RECORD));
		struct span r;

		if (flush == NULL)
			return false;
		if (flush - at.p < JOURNAL_FRAME_HEADER) {
			at = span_skip(at, (size_t)(flush - at.p) + 1);
			continue;
		}
		at = span_skip(at, (size_t)(flush - at.p) - JOURNAL_FRAME_HEADER);
		r = at;
		if (journal_frame_next(instance, &r, &body) == 1 &&
		    span_is(body, JOURNAL_FLUSH_RECORD)) {
			*rest = at;
			return true;
		}
		at = span_skip(at, 1);
	}
	return false;
}
