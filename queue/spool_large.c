/* spool_large: a large message on its way to disk. See spool_large.h. */
#include "queue/spool_large.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/worker.h"
#include "common/xalloc.h"
#include "queue/spool_io.h"
#include "queue/spool_record.h"

struct spool_large {
	struct worker_task task;
	struct spool_writer *writer;
	struct spool_record record;
	uint64_t at; /* where the next content goes */
	spool_done_fn *done;
	void *arg;
	int fd, error;
};

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
	if (spool_write_at(fd, envelope.p, envelope.len, l->at) != 0)
		l->error = errno;
	l->at += envelope.len;
	return l;
}

int
spool_large_append(struct spool_large *l, struct span content)
{
	if (l->error == 0 && spool_write_at(l->fd, content.p, content.len, l->at) != 0)
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

int
spool_large_amend(struct spool_large *l, struct span envelope, struct span top)
{
	const uint64_t at = SPOOL_PAGE + SPOOL_RECORD_SIZE;
	struct spool_record *r = &l->record;

	if (l->error == 0 && envelope.len + top.len != r->envelope_len)
		l->error = EINVAL;
	if (l->error == 0 && (spool_write_at(l->fd, envelope.p, envelope.len, at) != 0 ||
				 spool_write_at(l->fd, top.p, top.len, at + envelope.len) != 0))
		l->error = errno;
	if (l->error != 0) {
		errno = l->error;
		return -1;
	}
	r->envelope_len = (uint32_t)envelope.len;
	r->envelope_crc = crc32c(0, envelope.p, envelope.len);
	r->content_crc = crc32c_join(crc32c(0, top.p, top.len), r->content_crc, r->content_len);
	r->content_len += top.len;
	return 0;
}

static void
large_run(struct worker_task *t)
{
	struct spool_large *l = (struct spool_large *)(void *)t;
	unsigned char header[SPOOL_RECORD_SIZE];

	spool_record_format(&l->record, header);
	if (l->error == 0 && (spool_write_at(l->fd, header, sizeof header, SPOOL_PAGE) != 0 ||
				 spool_flush(l->fd) != 0))
		l->error = errno;
}

static void
large_done(struct worker_task *t)
{
	struct spool_large *l = (struct spool_large *)(void *)t;
	struct verdict v;

	spool_writer_task_done(l->writer);
	if (l->error == 0)
		verdict_set_text(&v, VERDICT_OK, 250, "2.0.0", "Queued");
	else
		spool_verdict_of_error(&v, l->error);
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
	l->task = (struct worker_task){.run = large_run, .done = large_done};
	spool_writer_task(l->writer, &l->task);
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
