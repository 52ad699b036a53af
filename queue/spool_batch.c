/*
 * spool_batch: what one flush makes durable. See spool_batch.h and doc/SPOOL.md.
 * A batch begins on a page and is padded to one, so a durable block is never
 * written twice.
 */
#include "queue/spool_batch.h"

#include <errno.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/xalloc.h"
#include "queue/spool_io.h"

struct spool_item *
spool_item_new(const struct spool_record *r, struct span envelope, struct span content)
{
	size_t used = SPOOL_RECORD_SIZE + envelope.len + content.len;
	size_t extent = spool_align(used);
	struct spool_item *i = xmalloc(sizeof *i + extent);

	i->record = *r;
	i->extent = extent;
	memcpy(i->bytes + SPOOL_RECORD_SIZE, envelope.p, envelope.len);
	if (content.len > 0)
		memcpy(i->bytes + SPOOL_RECORD_SIZE + envelope.len, content.p, content.len);
	memset(i->bytes + used, 0, extent - used);
	return i;
}

void
spool_batch_cut(
    struct spool_batch *b, struct spool_held *segment, struct spool_item_list *waiting)
{
	uint64_t bytes = 0;
	struct spool_item *i;

	b->segment = segment;
	b->count = 0;
	STAILQ_INIT(&b->items);
	while ((i = STAILQ_FIRST(waiting)) != NULL && b->count < SPOOL_BATCH_MESSAGES &&
	       (b->count == 0 || bytes + i->extent <= SPOOL_BATCH_BYTES) &&
	       spool_held_fits(segment, bytes + i->extent)) {
		STAILQ_REMOVE_HEAD(waiting, link);
		STAILQ_INSERT_TAIL(&b->items, i, link);
		bytes += i->extent;
		b->count++;
	}
	b->bytes = spool_page_align(bytes);
	segment->batch++;
}

static void
complete_record(struct spool_item *i, const struct spool_held *s)
{
	struct spool_record *r = &i->record;
	const unsigned char *envelope = i->bytes + SPOOL_RECORD_SIZE;

	r->generation = s->generation;
	r->instance = s->instance;
	r->batch = s->batch;
	r->envelope_crc = crc32c(0, envelope, r->envelope_len);
	r->content_crc = crc32c(0, envelope + r->envelope_len, r->content_len);
	spool_record_format(r, i->bytes);
}

void
spool_batch_run(struct worker_task *t)
{
	static const char zeros[SPOOL_PAGE];
	struct spool_batch *b = (struct spool_batch *)(void *)t;
	uint64_t bytes = 0;
	struct spool_item *i;
	int n = 0;

	STAILQ_FOREACH (i, &b->items, link) {
		complete_record(i, b->segment);
		b->iov[n++] = (struct iovec){i->bytes, i->extent};
		bytes += i->extent;
	}
	if (bytes < b->bytes)
		b->iov[n++] = (struct iovec){(void *)(uintptr_t)zeros, b->bytes - bytes};
	b->error = 0;
	if (spool_write_vector(b->segment->fd, b->iov, n, b->segment->at) != 0 ||
	    spool_flush(b->segment->fd) != 0)
		b->error = errno;
}
