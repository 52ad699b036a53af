/*
 * own_writer: the queue manager's own segments. See own_writer.h. Invariant:
 * nothing is written to a segment before the journal has on disk that it is the
 * queue manager's own (segment_pool_take_own).
 */
#include "queue/own_writer.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"

struct own_writer {
	struct store *store;
	struct segment_pool *pool;
	struct spool_writer *writer;
	bool urgent, stopping;
};

static void
on_durable(uint64_t segment, uint64_t generation, uint64_t offset, void *arg)
{
	struct own_writer *w = arg;
	struct spool_segment *s = segment_pool_find(w->pool, segment, false);

	(void)generation;
	if (s != NULL && store_intake(w->store, s, offset) != 0)
		log_warnx(
		    "segment=%" PRIu64 " does not have what was just written to it", segment);
}

static void
on_sealed(
    uint64_t segment, uint64_t generation, uint64_t offset, enum spool_seal why, void *arg)
{
	struct own_writer *w = arg;
	struct spool_segment *s = segment_pool_find(w->pool, segment, false);

	(void)generation, (void)offset;
	if (s == NULL)
		return;
	if (why == SPOOL_SEAL_FAILED)
		s->damaged = true; /* never given a new life */
	store_seal(w->store, s);
}

static const struct spool_writer_ops writer_ops = {
    .on_durable = on_durable, .on_sealed = on_sealed};

struct own_writer *
own_writer_new(struct event_base *base, struct store *store)
{
	struct own_writer *w = xcalloc(1, sizeof *w);

	w->store = store;
	w->pool = store_pool(store);
	w->writer = spool_writer_new(base, &writer_ops, w);
	segment_pool_keep_own(w->pool);
	return w;
}

void
own_writer_free(struct own_writer **wp)
{
	struct own_writer *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	w->stopping = true;
	spool_writer_free(&w->writer);
	free(w);
}

/* Has so much room in hand, or takes a further segment; NULL: there is none. */
static struct spool_writer *
obtain(struct own_writer *w, uint64_t octets)
{
	struct spool_segment *s;
	int fd;

	if (w->stopping)
		return NULL;
	if (spool_writer_left(w->writer) >= octets)
		return w->writer;
	s = segment_pool_take_own(w->pool, w, &fd);
	if (s != NULL)
		spool_writer_add_segment(w->writer, s->number, s->generation,
		    store_instance(w->store), s->size, s->accounted, fd);
	return s != NULL ? w->writer : NULL;
}

/*
 * On a full disk enough must be left, in hand or kept ready, to empty any segment that is worth
 * it into (compactor.h): two thirds of one.
 */
static bool
reports_may_use_it(const struct own_writer *w, uint64_t octets)
{
	uint64_t left = spool_writer_left(w->writer);

	if (segment_pool_has_room(w->pool))
		return true;
	if (segment_pool_own_ready(w->pool))
		return left >= octets || !w->urgent;
	return !w->urgent && left >= segment_pool_segment_size(w->pool) / 3 * 2 + octets;
}

struct spool_writer *
own_writer_for_report(struct own_writer *w, uint64_t octets)
{
	return !w->stopping && reports_may_use_it(w, octets) ? obtain(w, octets) : NULL;
}

struct spool_writer *
own_writer_for_copies(struct own_writer *w, uint64_t octets)
{
	return obtain(w, octets);
}

uint64_t
own_writer_room(const struct own_writer *w)
{
	uint64_t ready =
	    segment_pool_own_ready(w->pool) ? segment_pool_segment_size(w->pool) : 0;

	return spool_writer_left(w->writer) + ready;
}

void
own_writer_set_urgent(struct own_writer *w, bool urgent)
{
	w->urgent = urgent;
}
