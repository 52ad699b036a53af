/*
 * compactor: empties old segments. See compactor.h; doc/SPOOL.md has what a crash
 * at any point of it leaves.
 *
 *	look: is a segment worth it? -> read a window -> copy what lives in it
 *	-> the flush is done (the store has moved the messages) -> pause -> read ...
 *
 * Invariant: nothing here decides what a message is or where it stands. Whatever
 * becomes of a message while its copy is under way, the copy of one that is gone
 * is dead space and nothing else, and the old segment is let go by the store's
 * counts alone.
 */
#include "queue/compactor.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/compact_choice.h"
#include "queue/compact_source.h"
#include "queue/store_move.h"

#define AGAIN_MS   100		    /* later, when the loop has other things to do, */
#define AGAIN_MAX  50		    /* but not for ever */
#define TROUBLE_MS 1000		    /* after a copy could not be written */
#define PADDING	   (2 * SPOOL_PAGE) /* of the batch under way and of the next */
#define LEFT_MS	   60000 /* before a segment that could not be emptied is looked at again */

static const struct compactor_pace real_life = {
    .check_ms = 10000, .quiet_ms = 60000, .late_ms = 20, .per_second = 16U << 20, .share = 5};

struct compactor {
	struct compact_source source;
	struct event_base *base;
	struct store *store;
	struct own_writer *own;
	struct spool_writer *writer; /* on whose thread the window is being read */
	struct compactor_pace pace;
	struct event *timer;
	uint64_t due_at, began_at;	     /* of the timer; of the step under way */
	unsigned put_off;		     /* times in a row */
	unsigned pending;		     /* copies under way */
	uint64_t step_messages, step_copied; /* copies made in it; octets of these */
	uint64_t *left; /* messages of this segment that were passed over */
	size_t nleft, left_cap;
	struct compactor_counts counts, run; /* run: when the present one began */
	bool running, reading, urgent, stopping;
	bool failed;  /* this segment is given up for now */
	bool waiting; /* for room to copy to */
};

static void on_timer(evutil_socket_t, short, void *);

static void
arm(struct compactor *c, uint64_t ms)
{
	struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	if (c->stopping)
		return;
	c->due_at = clock_mono_ms() + ms;
	event_add(c->timer, &tv);
}

struct compactor *
compactor_new(struct event_base *base, struct store *store, struct own_writer *own,
    const struct compactor_pace *pace)
{
	struct compactor *c = xcalloc(1, sizeof *c);

	c->base = base;
	c->store = store;
	c->own = own;
	c->pace = pace != NULL ? *pace : real_life;
	c->source.fd = -1;
	c->timer = evtimer_new(base, on_timer, c);
	arm(c, c->pace.check_ms);
	return c;
}

void
compactor_stop(struct compactor *c)
{
	c->stopping = true;
	event_del(c->timer);
}

void
compactor_free(struct compactor **cp)
{
	struct compactor *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	compact_source_release(&c->source);
	event_free(c->timer);
	free(c->left);
	free(c);
}

struct compactor_counts
compactor_counts(const struct compactor *c)
{
	struct compactor_counts counts = c->counts;

	counts.active = c->running;
	return counts;
}

/* The segment being read, while it has not got another life; NULL: it has. */
static struct spool_segment *
victim(const struct compactor *c)
{
	struct spool_segment *s =
	    segment_pool_find(store_pool(c->store), c->source.number, false);

	return s != NULL && s->generation == c->source.generation && s->state == SEGMENT_SEALED
		   ? s
		   : NULL;
}

void
compactor_wake(struct compactor *c)
{
	bool pausing = compact_source_is_open(&c->source) && !c->waiting &&
		       segment_pool_has_room(store_pool(c->store));

	if (!c->reading && c->pending == 0 && !pausing)
		arm(c, 0);
}

static void
begin_segment(struct compactor *c, struct spool_segment *s)
{
	if (compact_source_open(&c->source, s, store_instance(c->store)) != 0) {
		log_warn("segment=%" PRIu64 " cannot be emptied", s->number);
		s->retry_at = clock_mono_ms() + LEFT_MS;
		return;
	}
	c->nleft = 0;
	c->failed = false;
	log_debug("segment=%" PRIu64 " is emptied: %" PRIu32 " messages, %" PRIu64
		  " of %" PRIu64 " octets live",
	    s->number, s->live, s->live_octets, s->size);
}

/* How many of those passed over are still there. */
static uint32_t
count_left(const struct compactor *c, const struct spool_segment *s)
{
	uint32_t n = 0;

	for (size_t i = 0; i < c->nleft; i++) {
		const struct message *m = store_find(c->store, c->left[i]);

		n += m != NULL && m->segment == s;
	}
	return n;
}

/*
 * The end of a segment, or of what can be done with it now. Messages that were neither copied nor
 * passed over have no intact record.
 */
static void
end_segment(struct compactor *c)
{
	struct spool_segment *s = victim(c);
	uint32_t live, left;

	compact_source_close(&c->source);
	own_writer_set_urgent(c->own, false);
	live = s != NULL ? store_segment_messages(c->store, s) : 0;
	if (live == 0) {
		c->counts.segments += !c->failed;
		log_debug("segment=%" PRIu64 " has been emptied", c->source.number);
		return;
	}
	left = count_left(c, s);
	s->retry_at = clock_mono_ms() + (c->failed ? TROUBLE_MS : LEFT_MS);
	if (c->failed || live <= left)
		return;
	c->counts.damaged += live - left > s->lost ? live - left - s->lost : 0;
	store_report_lost(c->store, s, live - left);
	if (left == 0)
		s->retry_at = UINT64_MAX;
}

/* All that was worth it has been done. */
static void
end_run(struct compactor *c)
{
	const struct compactor_counts *now = &c->counts, *then = &c->run;

	if (now->messages > then->messages || now->segments > then->segments)
		log_info("spool: %" PRIu64 " segments were emptied: %" PRIu64
			 " messages (%" PRIu64 " KiB) copied; %" PRIu64 " of %" PRIu64
			 " KiB live",
		    now->segments - then->segments, now->messages - then->messages,
		    (now->octets - then->octets) / 1024, now->live / 1024, now->sealed / 1024);
	c->run = c->counts;
	c->running = false;
}

/* Chooses what to do next; false: nothing. */
static bool
choose(struct compactor *c)
{
	uint64_t quiet = c->urgent ? 0 : c->pace.quiet_ms;
	uint64_t room = c->urgent ? own_writer_room(c->own) : UINT64_MAX;
	struct compact_choice choice =
	    compact_choose(store_pool(c->store), clock_mono_ms(), quiet, room);

	c->counts.sealed = choice.sealed;
	c->counts.live = choice.live;
	if (choice.victim == NULL || !(choice.over || c->urgent))
		return false;
	c->running = true;
	begin_segment(c, choice.victim);
	return compact_source_is_open(&c->source);
}

static void on_read(struct worker_task *t);

static void
read_window(struct compactor *c)
{
	c->writer = own_writer_for_copies(c->own, SPOOL_PAGE);
	if (c->writer == NULL) { /* none in hand yet: compactor_wake, or the next look */
		arm(c, c->pace.check_ms);
		return;
	}
	c->reading = true;
	c->step_messages = c->step_copied = 0;
	c->began_at = clock_mono_ms();
	c->source.owner = c;
	c->source.task = (struct worker_task){.run = compact_source_run, .done = on_read};
	spool_writer_task(c->writer, &c->source.task);
}

/* The timer is late: others have work for the loop. */
static bool
should_wait(struct compactor *c, uint64_t now)
{
	if (c->urgent || now < c->due_at + c->pace.late_ms || c->put_off >= AGAIN_MAX) {
		c->put_off = 0;
		return false;
	}
	c->put_off++;
	return true;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct compactor *c = arg;

	(void)fd, (void)what;
	if (c->stopping || c->reading || c->pending > 0)
		return;
	c->urgent = !segment_pool_has_room(store_pool(c->store));
	if (should_wait(c, clock_mono_ms())) {
		arm(c, AGAIN_MS);
		return;
	}
	if (!store_is_writable(c->store)) { /* a copy counts only with its record */
		arm(c, c->pace.check_ms);
		return;
	}
	if (compact_source_is_open(&c->source) && victim(c) == NULL)
		end_segment(c); /* the last of its messages was settled */
	if (!compact_source_is_open(&c->source) && !choose(c)) {
		end_run(c);
		arm(c, c->pace.check_ms);
		return;
	}
	own_writer_set_urgent(c->own, c->urgent);
	read_window(c);
}

/* When this step is over: what it took decides how long the disk is left to others. */
static void
end_step(struct compactor *c)
{
	uint64_t took = clock_mono_ms() - c->began_at;
	uint64_t ms = (c->source.len + c->step_copied) * 1000 / c->pace.per_second;

	if (!c->failed) {
		c->counts.messages += c->step_messages;
		c->counts.octets += c->step_copied;
	}
	/* On a full disk nobody but us makes room: this is not the segment to empty. */
	c->failed |= c->waiting && c->urgent && c->step_messages == 0;
	if (c->failed || c->source.at >= c->source.end)
		end_segment(c);
	if (ms < took * (c->pace.share - 1))
		ms = took * (c->pace.share - 1);
	if (c->urgent)
		ms = 0;
	if (c->waiting)
		ms = c->pace.check_ms;
	if (c->failed && ms < TROUBLE_MS)
		ms = TROUBLE_MS;
	c->failed = false;
	arm(c, ms);
}

static void
on_copied(const struct verdict *v, void *arg)
{
	struct compactor *c = arg;

	c->failed |= v->kind != VERDICT_OK;
	if (--c->pending == 0 && !c->reading && !c->stopping)
		end_step(c);
}

/* Would it be for nothing, since the message is about to go or is being looked at? */
static bool
is_busy(const struct compactor *c, const struct message *m)
{
	int64_t soon = clock_wall() + c->pace.quiet_ms / 1000;

	for (uint32_t i = 0; i < m->nrecipients && !c->urgent; i++) {
		const struct recipient *r = message_recipient(m, i);

		switch ((enum recipient_state)r->state) {
		case RECIPIENT_RESOLVING:
		case RECIPIENT_ACTIVE:
		case RECIPIENT_FAILED:
		case RECIPIENT_TELL:
			return true;
		case RECIPIENT_DEFERRED:
			if (r->next < soon)
				return true;
			break;
		default:
			break;
		}
	}
	return false;
}

static void
pass_over(struct compactor *c, uint64_t message)
{
	if (c->nleft == c->left_cap) {
		c->left_cap = c->left_cap > 0 ? c->left_cap * 2 : 64;
		c->left = xreallocarray(c->left, c->left_cap, sizeof *c->left);
	}
	c->left[c->nleft++] = message;
}

/* -1: there is nothing to copy it to. */
static int
copy(struct compactor *c, const struct compact_record *r)
{
	uint64_t extent = spool_record_extent(&r->header);
	struct spool_writer *w = own_writer_for_copies(c->own, extent + PADDING);

	if (w == NULL)
		return -1;
	spool_writer_copy(
	    w, r->header.message, r->header.received, r->envelope, r->content, on_copied, c);
	c->pending++;
	c->step_messages++;
	c->step_copied += extent;
	return 0;
}

/* What lives in the window is copied. */
static void
copy_window(struct compactor *c, const struct spool_segment *s)
{
	struct compact_record r;

	c->waiting = false;
	while (!c->waiting && compact_source_next(&c->source, &r)) {
		const struct message *m = store_find(c->store, r.header.message);

		if (m == NULL || m->segment != s || m->offset != r.offset)
			continue;
		if (!store_is_same(m, &r.header) || !compact_record_is_intact(&r))
			continue; /* end_segment misses it */
		if (is_busy(c, m))
			pass_over(c, m->number);
		else if (copy(c, &r) != 0) {
			c->source.at = r.offset; /* again, when there is room */
			c->waiting = true;
		}
	}
}

static void
on_read(struct worker_task *t)
{
	struct compact_source *source = (struct compact_source *)(void *)t;
	struct compactor *c = source->owner;
	struct spool_segment *s;

	spool_writer_task_done(c->writer);
	c->reading = false;
	if (c->stopping)
		return;
	s = victim(c);
	if (s != NULL)
		copy_window(c, s);
	if (c->pending == 0)
		end_step(c);
}
