/* A segment of any bytes behind a good header page: the scan ends, and every record it names lies within. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "queue/spool_scan.h"

static void
on_record(struct spool_segment *s, uint64_t offset, const struct spool_record *r,
    struct span envelope, void *arg)
{
	(void)arg;
	if (offset + SPOOL_RECORD_SIZE + r->envelope_len + r->content_len > s->size ||
	    envelope.len != r->envelope_len)
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static int fd = -1;
	struct spool_segment s = {.generation = 1};
	struct spool_scan_result result;

	if (fd < 0)
		fd = memfd_create("segment", 0);
	if (size > 65536 || fd < 0 || ftruncate(fd, 0) != 0 ||
	    pwrite(fd, data, size, SPOOL_PAGE) != (ssize_t)size)
		return 0;
	s.fd = fd;
	s.size = SPOOL_PAGE + size;
	spool_segment_scan(&s, 1, SPOOL_PAGE, s.size, true, on_record, NULL, &result);
	spool_segment_scan(&s, 1, SPOOL_PAGE, s.size, false, on_record, NULL, &result);
	if (result.end > s.size + SPOOL_PAGE)
		abort();
	for (uint64_t at = 0; at < s.size + 200; at += 100) {
		struct spool_record r;

		if (spool_segment_look(&s, 1, at, &r, NULL) == SPOOL_FOUND_RECORD &&
		    at + SPOOL_RECORD_SIZE + r.envelope_len + r.content_len > s.size)
			abort();
	}
	return 0;
}
