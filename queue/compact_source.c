/*
 * compact_source: reading an old segment. See compact_source.h. What is damaged
 * hides nothing but itself: behind octets that are no record the next one is
 * looked for, and a page that cannot be read leaves the others readable.
 */
#include "queue/compact_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/xalloc.h"

int
compact_source_open(struct compact_source *c, const struct spool_segment *s, uint64_t instance)
{
	int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	c->fd = fd;
	c->number = s->number;
	c->generation = s->generation;
	c->instance = instance;
	c->at = c->from = SPOOL_PAGE;
	c->end = s->accounted < s->size ? s->accounted : s->size;
	c->len = 0;
	c->want = COMPACT_WINDOW;
	c->unreadable = 0;
	return 0;
}

void
compact_source_close(struct compact_source *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void
compact_source_release(struct compact_source *c)
{
	compact_source_close(c);
	free(c->bytes);
	c->bytes = NULL;
	c->room = 0;
}

bool
compact_source_is_open(const struct compact_source *c)
{
	return c->fd >= 0;
}

/* n octets at offset; those that cannot be read are zeros. */
static void
read_pages(struct compact_source *c, char *p, size_t n, uint64_t offset)
{
	while (n > 0) {
		size_t page = SPOOL_PAGE - offset % SPOOL_PAGE;
		size_t want = page < n ? page : n;

		if (pread(c->fd, p, want, (off_t)offset) != (ssize_t)want) {
			memset(p, 0, want);
			c->unreadable++;
		}
		p += want;
		offset += want;
		n -= want;
	}
}

void
compact_source_run(struct worker_task *t)
{
	struct compact_source *c = (struct compact_source *)(void *)t;
	size_t done = 0;

	c->from = c->at;
	c->len = c->end - c->at < c->want ? (size_t)(c->end - c->at) : c->want;
	if (c->len > c->room) {
		c->room = c->len;
		c->bytes = xrealloc(c->bytes, c->room);
	}
	while (done < c->len) {
		ssize_t n =
		    pread(c->fd, c->bytes + done, c->len - done, (off_t)(c->from + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			read_pages(c, c->bytes + done, c->len - done, c->from + done);
			break;
		}
		done += (size_t)n;
	}
}

bool
compact_source_next(struct compact_source *c, struct compact_record *r)
{
	uint64_t window_end = c->from + c->len;

	c->want = COMPACT_WINDOW;
	for (; c->at + SPOOL_RECORD_SIZE <= window_end; c->at += SPOOL_ALIGN) {
		const char *p = c->bytes + (c->at - c->from);
		uint64_t extent;

		if (spool_record_parse(span_make(p, SPOOL_RECORD_SIZE), &r->header) != 0 ||
		    r->header.generation != c->generation || r->header.instance != c->instance)
			continue;
		extent = spool_record_extent(&r->header);
		if (extent > c->end - c->at)
			continue; /* it goes beyond what is known of the segment */
		if (extent > window_end - c->at) {
			c->want = extent > COMPACT_WINDOW ? (size_t)extent : COMPACT_WINDOW;
			return false;
		}
		r->offset = c->at;
		r->envelope = span_make(p + SPOOL_RECORD_SIZE, r->header.envelope_len);
		r->content =
		    span_make(r->envelope.p + r->envelope.len, (size_t)r->header.content_len);
		c->at += extent;
		return true;
	}
	/* What is shorter than a header at the end of a window may be the beginning of one. */
	if (window_end == c->end)
		c->at = c->end;
	return false;
}

bool
compact_record_is_intact(const struct compact_record *r)
{
	return crc32c(0, r->envelope.p, r->envelope.len) == r->header.envelope_crc &&
	       crc32c(0, r->content.p, r->content.len) == r->header.content_crc;
}
