/*
 * spool_writer: group commit. See spool_writer.h and doc/SPOOL.md.
 *
 * Loop thread: messages collect in `waiting`. When no flush is under way a
 * batch is cut from them, for one segment, and given to the commit thread, which
 * computes checksums, writes with one pwritev, and flushes. A batch begins on a
 * page and is padded to one, so a durable block is never written twice.
 *
 * Invariant: done(ok) for a message is called only after fdatasync returned 0
 * for the batch that holds it; after any error the segment is never written again.
 */
#include "queue/spool_writer.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/worker.h"
#include "common/xalloc.h"
#include "queue/spool_record.h"

#define BATCH_MESSAGES 512
#define BATCH_BYTES    (8U << 20)

struct item {
	STAILQ_ENTRY(item) link;
	spool_done_fn *done;
	void *arg;
	struct spool_record record;
	size_t extent;
	unsigned char bytes[]; /* record header, envelope, content, padding: extent octets */
};
STAILQ_HEAD(item_list, item);

struct segment {
	STAILQ_ENTRY(segment) link;
	uint64_t number, generation, instance, size;
	uint64_t
	    at; /* where the next batch goes; everything below is durable or being flushed */
	uint64_t durable; /* everything below is on disk */
	uint64_t batch;	  /* flushes so far */
	uint64_t count;	  /* message numbers given out */
	int fd;
};

struct batch {
	struct worker_task task;
	struct spool_writer *writer;
	struct segment *segment;
	struct item_list items;
	unsigned count;
	uint64_t bytes; /* padded */
	int error;	/* errno of the failed call, 0 if it is on disk */
	struct iovec iov[BATCH_MESSAGES + 1];
};

struct spool_writer {
	struct worker *worker;
	const struct spool_writer_ops *ops;
	void *arg;
	STAILQ_HEAD(, segment) segments;
	struct item_list waiting;
	struct batch *batch; /* reused */
	bool flushing, stopping;
	unsigned pending;
	struct event *start; /* cuts a batch at the end of this turn of the loop */
};

static void cut_batch(struct spool_writer *w);
static void on_start(evutil_socket_t, short, void *);

struct spool_writer *
spool_writer_new(struct event_base *base, const struct spool_writer_ops *ops, void *arg)
{
	struct spool_writer *w = xcalloc(1, sizeof *w);

	w->worker = worker_new(base);
	w->ops = ops;
	w->arg = arg;
	w->batch = xcalloc(1, sizeof *w->batch);
	w->batch->writer = w;
	w->start = event_new(base, -1, 0, on_start, w);
	STAILQ_INIT(&w->segments);
	STAILQ_INIT(&w->waiting);
	return w;
}

static void
segment_remove(struct spool_writer *w, struct segment *s)
{
	STAILQ_REMOVE(&w->segments, s, segment, link);
	close(s->fd);
	free(s);
}

void
spool_writer_free(struct spool_writer **wp)
{
	struct spool_writer *w = *wp;
	struct item *i;

	if (w == NULL)
		return;
	*wp = NULL;
	worker_free(&w->worker);
	event_free(w->start);
	while ((i = STAILQ_FIRST(&w->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&w->waiting, link);
		free(i);
	}
	while (!STAILQ_EMPTY(&w->segments))
		segment_remove(w, STAILQ_FIRST(&w->segments));
	free(w->batch);
	free(w);
}

void
spool_writer_add_segment(struct spool_writer *w, uint64_t number, uint64_t generation,
    uint64_t instance, uint64_t size, uint64_t start, int fd)
{
	struct segment *s = xcalloc(1, sizeof *s);

	*s = (struct segment){.number = number,
	    .generation = generation,
	    .instance = instance,
	    .size = size,
	    .at = start,
	    .durable = start,
	    .fd = fd};
	STAILQ_INSERT_TAIL(&w->segments, s, link);
	if (!STAILQ_EMPTY(&w->waiting) && !w->flushing)
		event_active(w->start, 0, 0);
}

void
spool_writer_each_segment(struct spool_writer *w,
    void (*fn)(uint64_t number, uint64_t generation, uint64_t offset, void *arg), void *arg)
{
	struct segment *s;

	STAILQ_FOREACH (s, &w->segments, link)
		fn(s->number, s->generation, s->durable, arg);
}

bool
spool_writer_has_room(const struct spool_writer *w)
{
	return !STAILQ_EMPTY(&w->segments) && !w->stopping;
}

unsigned
spool_writer_pending(const struct spool_writer *w)
{
	return w->pending;
}

static void
seal(struct spool_writer *w, struct segment *s, enum spool_seal why)
{
	w->ops->on_sealed(s->number, s->generation, s->durable, why, w->arg);
	segment_remove(w, s);
}

uint64_t
spool_writer_next_message(struct spool_writer *w)
{
	struct segment *s = STAILQ_FIRST(&w->segments);

	/* A segment whose numbers are used up gives way to the next; its messages are safe. */
	while (s != NULL && s->count >= (1U << SPOOL_COUNT_BITS) - 1)
		s = STAILQ_NEXT(s, link);
	return s != NULL ? s->generation << SPOOL_COUNT_BITS | ++s->count : 0;
}

static void
answer(struct spool_writer *w, struct item *i, const struct verdict *v)
{
	w->pending--;
	i->done(v, i->arg);
	free(i);
}

static void
answer_all(struct spool_writer *w, struct item_list *items, const struct verdict *v)
{
	struct item *i;

	while ((i = STAILQ_FIRST(items)) != NULL) {
		STAILQ_REMOVE_HEAD(items, link);
		answer(w, i, v);
	}
}

void
spool_writer_commit(struct spool_writer *w, uint64_t message, int64_t received_ms,
    struct span envelope, struct span content, spool_done_fn *done, void *arg)
{
	size_t used = SPOOL_RECORD_SIZE + envelope.len + content.len;
	size_t extent = spool_align(used);
	struct item *i = xmalloc(sizeof *i + extent);

	i->done = done;
	i->arg = arg;
	i->extent = extent;
	i->record = (struct spool_record){.message = message,
	    .received = received_ms,
	    .envelope_len = (uint32_t)envelope.len,
	    .content_len = content.len};
	memcpy(i->bytes + SPOOL_RECORD_SIZE, envelope.p, envelope.len);
	if (content.len > 0)
		memcpy(i->bytes + SPOOL_RECORD_SIZE + envelope.len, content.p, content.len);
	memset(i->bytes + used, 0, extent - used);
	STAILQ_INSERT_TAIL(&w->waiting, i, link);
	w->pending++;
	if (!w->flushing)
		event_active(w->start, 0, 0);
}

/* On the commit thread: the checksums and the record's header. */
static void
complete_record(struct item *i, const struct segment *s)
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

/* Writes everything, whatever the kernel takes at a time. -1 with errno. */
static int
write_all(int fd, struct iovec *iov, int n, off_t at)
{
	while (n > 0) {
		ssize_t w = pwritev(fd, iov, n, at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			errno = w == 0 ? EIO : errno;
			return -1;
		}
		at += w;
		while (n > 0 && (size_t)w >= iov->iov_len) {
			w -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + w;
			iov->iov_len -= (size_t)w;
		}
	}
	return 0;
}

static int
flush_fd(int fd)
{
	int r;

	do {
		r = fdatasync(fd);
	} while (r != 0 && errno == EINTR);
	return r;
}

static void
batch_run(struct worker_task *t)
{
	static const char zeros[SPOOL_PAGE];
	struct batch *b = (struct batch *)(void *)t;
	uint64_t bytes = 0;
	struct item *i;
	int n = 0;

	STAILQ_FOREACH (i, &b->items, link) {
		complete_record(i, b->segment);
		b->iov[n++] = (struct iovec){i->bytes, i->extent};
		bytes += i->extent;
	}
	if (bytes < b->bytes)
		b->iov[n++] = (struct iovec){(void *)(uintptr_t)zeros, b->bytes - bytes};
	b->error = 0;
	if (write_all(b->segment->fd, b->iov, n, (off_t)b->segment->at) != 0 ||
	    flush_fd(b->segment->fd) != 0)
		b->error = errno;
}

static void
verdict_of_error(struct verdict *v, int error)
{
	if (error == ENOSPC || error == EDQUOT || error == EFBIG)
		verdict_set(v, VERDICT_TEMPORARY, 452, "4.3.1",
		    "The mail queue is full, try again later");
	else
		verdict_set(v, VERDICT_TEMPORARY, 451, "4.3.0",
		    "The message could not be written to disk, try again later");
}

static void
batch_done(struct worker_task *t)
{
	struct batch *b = (struct batch *)(void *)t;
	struct spool_writer *w = b->writer;
	struct segment *s = b->segment;
	struct item_list items;
	struct verdict v;

	STAILQ_INIT(&items);
	STAILQ_CONCAT(&items, &b->items);
	if (b->error == 0) {
		s->at += b->bytes;
		s->durable = s->at;
		verdict_set(&v, VERDICT_OK, 250, "2.0.0", "Queued");
		w->ops->on_durable(s->number, s->generation, s->durable, w->arg);
	} else {
		errno = b->error;
		log_warn("segment=%llu sealed: %u messages are refused with 4xx, none is lost",
		    (unsigned long long)s->number, b->count);
		verdict_of_error(&v, b->error);
		seal(w, s, SPOOL_SEAL_FAILED);
	}
	w->flushing = false;
	answer_all(w, &items, &v);
	cut_batch(w);
}

/* The first segment that has room for n octets; fuller ones are sealed on the way. */
static struct segment *
segment_for(struct spool_writer *w, size_t n)
{
	struct segment *s;

	while ((s = STAILQ_FIRST(&w->segments)) != NULL) {
		if (s->at + spool_page_align(n) <= s->size)
			return s;
		seal(w, s, SPOOL_SEAL_FULL);
	}
	return NULL;
}

static void
stop_segments(struct spool_writer *w)
{
	while (!STAILQ_EMPTY(&w->segments))
		seal(w, STAILQ_FIRST(&w->segments), SPOOL_SEAL_STOP);
}

static void
cut_batch(struct spool_writer *w)
{
	struct batch *b = w->batch;
	struct item *i = STAILQ_FIRST(&w->waiting);
	struct segment *s;
	uint64_t bytes = 0;

	if (w->flushing)
		return;
	if (i == NULL) {
		if (w->stopping)
			stop_segments(w);
		return;
	}
	s = segment_for(w, i->extent);
	if (s == NULL) {
		struct verdict v;

		verdict_of_error(&v, ENOSPC);
		answer_all(w, &w->waiting, &v);
		return;
	}
	b->segment = s;
	b->count = 0;
	STAILQ_INIT(&b->items);
	while ((i = STAILQ_FIRST(&w->waiting)) != NULL && b->count < BATCH_MESSAGES &&
	       (b->count == 0 || bytes + i->extent <= BATCH_BYTES) &&
	       s->at + spool_page_align(bytes + i->extent) <= s->size) {
		STAILQ_REMOVE_HEAD(&w->waiting, link);
		STAILQ_INSERT_TAIL(&b->items, i, link);
		bytes += i->extent;
		b->count++;
	}
	b->bytes = spool_page_align(bytes);
	s->batch++;
	w->flushing = true;
	b->task = (struct worker_task){.run = batch_run, .done = batch_done};
	worker_submit(w->worker, &b->task);
}

static void
on_start(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	cut_batch(arg);
}

void
spool_writer_stop(struct spool_writer *w)
{
	w->stopping = true;
	event_active(w->start, 0, 0);
}

struct spool_large {
	struct worker_task task;
	struct spool_writer *writer;
	struct spool_record record;
	uint64_t at; /* where the next content goes */
	spool_done_fn *done;
	void *arg;
	int fd, error;
};

/* 0, or -1 with errno. */
static int
write_at(int fd, const void *p, size_t n, uint64_t at)
{
	struct iovec iov = {(void *)(uintptr_t)p, n};

	return n > 0 ? write_all(fd, &iov, 1, (off_t)at) : 0;
}

struct spool_large *
spool_large_new(struct spool_writer *w, int fd, uint64_t message, uint64_t generation,
    uint64_t instance, int64_t received_ms, struct span envelope)
{
	struct spool_large *l = xcalloc(1, sizeof *l);

	l->writer = w;
	l->fd = fd;
	l->record = (struct spool_record){.generation = generation,
	    .instance = instance,
	    .batch = 1,
	    .message = message,
	    .received = received_ms,
	    .envelope_len = (uint32_t)envelope.len,
	    .envelope_crc = crc32c(0, envelope.p, envelope.len)};
	l->at = SPOOL_PAGE + SPOOL_RECORD_SIZE;
	if (write_at(fd, envelope.p, envelope.len, l->at) != 0)
		l->error = errno;
	l->at += envelope.len;
	return l;
}

int
spool_large_append(struct spool_large *l, struct span content)
{
	if (l->error == 0 && write_at(l->fd, content.p, content.len, l->at) != 0)
		l->error = errno;
	if (l->error != 0) {
		errno = l->error;
		return -1;
	}
	l->record.content_crc = crc32c(l->record.content_crc, content.p, content.len);
	l->record.content_len += content.len;
	l->at += content.len;
	return 0;
}

static void
large_run(struct worker_task *t)
{
	struct spool_large *l = (struct spool_large *)(void *)t;
	unsigned char header[SPOOL_RECORD_SIZE];

	spool_record_format(&l->record, header);
	if (l->error == 0 &&
	    (write_at(l->fd, header, sizeof header, SPOOL_PAGE) != 0 || flush_fd(l->fd) != 0))
		l->error = errno;
}

static void
large_done(struct worker_task *t)
{
	struct spool_large *l = (struct spool_large *)(void *)t;
	struct verdict v;

	l->writer->pending--;
	if (l->error == 0)
		verdict_set(&v, VERDICT_OK, 250, "2.0.0", "Queued");
	else
		verdict_of_error(&v, l->error);
	l->done(&v, l->arg);
	spool_large_abort(&l);
}

void
spool_large_commit(struct spool_large **lp, spool_done_fn *done, void *arg)
{
	struct spool_large *l = *lp;

	*lp = NULL;
	l->done = done;
	l->arg = arg;
	l->writer->pending++;
	l->task = (struct worker_task){.run = large_run, .done = large_done};
	worker_submit(l->writer->worker, &l->task);
}

void
spool_large_abort(struct spool_large **lp)
{
	struct spool_large *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	close(l->fd);
	free(l);
}
