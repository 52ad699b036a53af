/*
 * spool_batch: what one flush makes durable: messages, laid out as records one
 * after another, written with one call and flushed. Filled on the loop's thread,
 * run on the commit thread. Used by spool_writer alone.
 */
#ifndef QUEUE_SPOOL_BATCH_H
#define QUEUE_SPOOL_BATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include "common/worker.h"
#include "queue/spool_hand.h"
#include "queue/spool_record.h"
#include "queue/spool_writer.h"

#define SPOOL_BATCH_MESSAGES 512
#define SPOOL_BATCH_BYTES    (8U << 20)

/* A message on its way to disk. */
struct spool_item {
	STAILQ_ENTRY(spool_item) link;
	spool_done_fn *done;
	void *arg;
	struct spool_record record;
	size_t extent;
	unsigned char bytes[]; /* record header, envelope, content, padding: extent octets */
};
STAILQ_HEAD(spool_item_list, spool_item);

/* r has the lengths of envelope and content, which are copied; checksums come later. The caller frees. */
struct spool_item *spool_item_new(
    const struct spool_record *r, struct span envelope, struct span content);

struct spool_batch {
	struct worker_task task;
	struct spool_writer *writer;
	struct spool_held *segment;
	struct spool_item_list items;
	unsigned count;
	uint64_t bytes; /* padded */
	int error;	/* errno of the failed call, 0 if it is on disk */
	struct iovec iov[SPOOL_BATCH_MESSAGES + 1];
};

/* Takes from the list what one flush is to write to this segment: at least the first, which fits. */
void spool_batch_cut(
    struct spool_batch *b, struct spool_held *segment, struct spool_item_list *waiting);

/* On the commit thread: checksums, one write, one flush; the outcome is in error. */
void spool_batch_run(struct worker_task *t);

#endif
