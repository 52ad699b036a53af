/*
 * spool_writer: group commit. See spool_writer.h and doc/SPOOL.md.
 *
 * Loop thread: messages collect in `waiting`. When no flush is under way and those
 * who were answered just now had their chance to be in time (spool_gather), a
 * batch (spool_batch) is cut from them, for one segment (spool_hand), and given
 * to the commit thread.
 *
 * Invariant: done(ok) for a message is called only after fdatasync returned 0
 * for the batch that holds it; after any error the segment is never written again.
 */
#include "queue/spool_writer.h"

#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "queue/spool_batch.h"
#include "queue/spool_gather.h"
#include "queue/spool_hand.h"
#include "queue/spool_io.h"

/* So long a message waits for the next segment. Clients wait ten minutes (RFC 5321 4.5.3.2.6). */
#define NEXT_SEC 5

struct spool_writer {
	struct worker *worker;
	const struct spool_writer_ops *ops;
	void *arg;
	struct spool_hand hand;
	struct spool_item_list waiting;
	unsigned waiting_count;
	struct spool_gather *gather;
	struct spool_batch *batch; /* reused */
	bool flushing, stopping, ending;
	unsigned pending;
	uint64_t under_way;  /* octets of records not yet answered */
	struct event *next;  /* pending: all in hand is full, and the next segment is awaited */
	struct event *start; /* cuts a batch at the end of this turn of the loop */
};

static void cut_batch(struct spool_writer *w);

/* How many wait while no flush is under way, as spool_gather is told; so many octets are about to be answered. */
static unsigned
waiting(const struct spool_writer *w, uint64_t answered)
{
	return w->waiting_count >= SPOOL_BATCH_MESSAGES ||
		       w->under_way >= answered + SPOOL_BATCH_BYTES
		   ? SPOOL_GATHER_FULL
		   : w->waiting_count;
}

static void
on_start(evutil_socket_t fd, short what, void *arg)
{
	struct spool_writer *w = arg;

	(void)fd, (void)what;
	if (w->stopping)
		spool_gather_stop(w->gather);
	if (spool_gather_enough(w->gather, waiting(w, 0)))
		cut_batch(w);
}

static bool
is_awaiting(const struct spool_writer *w)
{
	return evtimer_pending(w->next, NULL) != 0 && !w->stopping;
}

static void
on_overdue(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	cut_batch(arg);
}

static void
on_gathered(void *arg)
{
	cut_batch(arg);
}

struct spool_writer *
spool_writer_new(struct event_base *base, const struct spool_writer_ops *ops, void *arg)
{
	struct spool_writer *w = xcalloc(1, sizeof *w);

	w->worker = worker_new(base);
	w->ops = ops;
	w->arg = arg;
	w->batch = xcalloc(1, sizeof *w->batch);
	w->batch->writer = w;
	w->next = evtimer_new(base, on_overdue, w);
	w->start = event_new(base, -1, 0, on_start, w);
	w->gather = spool_gather_new(base, on_gathered, w);
	spool_hand_init(&w->hand);
	STAILQ_INIT(&w->waiting);
	return w;
}

void
spool_writer_free(struct spool_writer **wp)
{
	struct spool_writer *w = *wp;
	struct spool_item *i;

	if (w == NULL)
		return;
	*wp = NULL;
	w->ending = true;
	worker_free(&w->worker);
	event_free(w->start);
	event_free(w->next);
	spool_gather_free(&w->gather);
	while ((i = STAILQ_FIRST(&w->waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&w->waiting, link);
		free(i);
	}
	spool_hand_release(&w->hand);
	free(w->batch);
	free(w);
}

/* At the end of this turn, if nobody else will look at what waits. */
static void
cut_soon(struct spool_writer *w)
{
	if (!w->flushing)
		event_active(w->start, 0, 0);
}

void
spool_writer_add_segment(struct spool_writer *w, uint64_t number, uint64_t generation,
    uint64_t instance, uint64_t size, uint64_t start, int fd)
{
	spool_hand_add(&w->hand, &(struct spool_held){.number = number,
				     .generation = generation,
				     .instance = instance,
				     .size = size,
				     .at = start,
				     .durable = start,
				     .fd = fd});
	event_del(w->next);
	if (!STAILQ_EMPTY(&w->waiting))
		cut_soon(w);
}

void
spool_writer_each_segment(struct spool_writer *w,
    void (*fn)(uint64_t number, uint64_t generation, uint64_t offset, void *arg), void *arg)
{
	struct spool_held *s;

	TAILQ_FOREACH (s, &w->hand.segments, link)
		fn(s->number, s->generation, s->durable, arg);
}

bool
spool_writer_has_room(const struct spool_writer *w)
{
	return (spool_hand_first(&w->hand) != NULL && !w->stopping) || is_awaiting(w);
}

uint64_t
spool_writer_left(const struct spool_writer *w)
{
	const struct spool_held *s = spool_hand_last(&w->hand);
	uint64_t left = s != NULL ? s->size - s->at : 0;

	return left > w->under_way ? left - w->under_way : 0;
}

unsigned
spool_writer_pending(const struct spool_writer *w)
{
	return w->pending;
}

static void
seal(struct spool_writer *w, struct spool_held *s, enum spool_seal why)
{
	w->ops->on_sealed(s->number, s->generation, s->durable, why, w->arg);
	spool_hand_remove(&w->hand, s);
}

uint64_t
spool_writer_next_message(struct spool_writer *w)
{
	return spool_hand_first(&w->hand) != NULL || is_awaiting(w)
		   ? spool_hand_next_message(&w->hand)
		   : 0;
}

static void
answer_all(struct spool_writer *w, struct spool_item_list *items, const struct verdict *v)
{
	struct spool_item *i;

	while ((i = STAILQ_FIRST(items)) != NULL) {
		STAILQ_REMOVE_HEAD(items, link);
		w->pending--;
		w->under_way -= i->extent;
		i->done(v, i->arg);
		free(i);
	}
}

static void
commit(struct spool_writer *w, struct spool_record *r, struct span envelope,
    struct span content, spool_done_fn *done, void *arg)
{
	struct spool_item *i;

	r->envelope_len = (uint32_t)envelope.len;
	r->content_len = content.len;
	i = spool_item_new(r, envelope, content);
	i->done = done;
	i->arg = arg;
	STAILQ_INSERT_TAIL(&w->waiting, i, link);
	w->waiting_count++;
	w->pending++;
	w->under_way += i->extent;
	cut_soon(w);
}

void
spool_writer_commit(struct spool_writer *w, uint64_t message, int64_t received_ms,
    struct span envelope, struct span content, spool_done_fn *done, void *arg)
{
	struct spool_record r = {
	    .kind = SPOOL_MESSAGE, .message = message, .received = received_ms};

	commit(w, &r, envelope, content, done, arg);
}

void
spool_writer_copy(struct spool_writer *w, uint64_t message, int64_t received_ms,
    struct span envelope, struct span content, spool_done_fn *done, void *arg)
{
	struct spool_record r = {
	    .kind = SPOOL_COPY, .message = message, .received = received_ms};

	commit(w, &r, envelope, content, done, arg);
}

static void
batch_done(struct worker_task *t)
{
	struct spool_batch *b = (struct spool_batch *)(void *)t;
	struct spool_writer *w = b->writer;
	struct spool_held *s = b->segment;
	struct spool_item_list items;
	struct verdict v;
	bool gather;

	STAILQ_INIT(&items);
	STAILQ_CONCAT(&items, &b->items);
	if (b->error == 0) {
		s->at += b->bytes;
		s->durable = s->at;
		verdict_set_text(&v, VERDICT_OK, 250, "2.0.0", "Queued");
		w->ops->on_durable(s->number, s->generation, s->durable, w->arg);
	} else {
		errno = b->error;
		log_warn("segment=%llu sealed: %u messages are refused with 4xx, none is lost",
		    (unsigned long long)s->number, b->count);
		spool_verdict_of_error(&v, b->error);
		seal(w, s, SPOOL_SEAL_FAILED);
	}
	w->flushing = false;
	gather = spool_gather_flush_ended(w->gather, b->count, waiting(w, b->bytes));
	answer_all(w, &items, &v);
	if (!gather || w->stopping)
		cut_batch(w);
}

/* The first segment that has room for n octets; fuller ones are sealed on the way. */
static struct spool_held *
segment_for(struct spool_writer *w, size_t n)
{
	struct spool_held *s;

	while ((s = spool_hand_first(&w->hand)) != NULL) {
		if (spool_held_fits(s, n))
			return s;
		seal(w, s, SPOOL_SEAL_FULL);
		if (spool_hand_first(&w->hand) == NULL)
			event_add(w->next, &(struct timeval){NEXT_SEC, 0});
	}
	return NULL;
}

static void
stop_segments(struct spool_writer *w)
{
	struct spool_held *s;

	while ((s = spool_hand_first(&w->hand)) != NULL)
		seal(w, s, SPOOL_SEAL_STOP);
}

/*
 * Those in front that no segment would have room for, if it were empty, such as one with a long envelope where segments are
 * small. They must not use up all there are.
 */
static void
refuse_misfits(struct spool_writer *w)
{
	const struct spool_held *s = spool_hand_first(&w->hand);
	struct spool_item_list refused = STAILQ_HEAD_INITIALIZER(refused);
	struct spool_item *i;
	struct verdict v;

	while (s != NULL && (i = STAILQ_FIRST(&w->waiting)) != NULL &&
	       SPOOL_PAGE + spool_page_align(i->extent) > s->size) {
		STAILQ_REMOVE_HEAD(&w->waiting, link);
		STAILQ_INSERT_TAIL(&refused, i, link);
		w->waiting_count--;
	}
	verdict_set_text(&v, VERDICT_TEMPORARY, 452, "4.5.3",
	    "The message has too many recipients for one, send it to fewer");
	answer_all(w, &refused, &v);
}

static void
cut_batch(struct spool_writer *w)
{
	struct spool_item *i;
	struct spool_held *s;

	if (w->flushing || w->ending)
		return;
	refuse_misfits(w);
	i = STAILQ_FIRST(&w->waiting);
	if (i == NULL) {
		if (w->stopping)
			stop_segments(w);
		return;
	}
	s = segment_for(w, i->extent);
	if (s == NULL && is_awaiting(w))
		return;
	if (s == NULL) {
		struct spool_item_list refused = STAILQ_HEAD_INITIALIZER(refused);
		struct verdict v;

		STAILQ_CONCAT(&refused, &w->waiting);
		w->waiting_count = 0;
		spool_verdict_of_error(&v, ENOSPC);
		answer_all(w, &refused, &v);
		return;
	}
	spool_batch_cut(w->batch, s, &w->waiting);
	w->waiting_count -= w->batch->count;
	w->flushing = true;
	spool_gather_flush_began(w->gather);
	w->batch->task = (struct worker_task){.run = spool_batch_run, .done = batch_done};
	worker_submit(w->worker, &w->batch->task);
}

void
spool_writer_expect_none(struct spool_writer *w)
{
	if (!is_awaiting(w))
		return;
	event_del(w->next);
	cut_soon(w);
}

void
spool_writer_stop(struct spool_writer *w)
{
	w->stopping = true;
	event_active(w->start, 0, 0);
}

void
spool_writer_task(struct spool_writer *w, struct worker_task *t)
{
	w->pending++;
	worker_submit(w->worker, t);
}

void
spool_writer_task_done(struct spool_writer *w)
{
	w->pending--;
}
