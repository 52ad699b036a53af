/*
 * journal: the log of outcomes and its checkpoints. See journal.h.
 *
 *	<n>.log   records in order of time, after the state of <n>.ckpt
 *	<n>.ckpt  the whole state, as records, ended by an END record
 *
 * The checkpoint before the last stays, with the logs since: should the last one rot, they say the same.
 *
 * What one flush made durable begins with a flush record. A log begins with a record that says how much of the
 * one before it was on disk by then.
 *
 * States a crash can leave: n.log without n.ckpt (the checkpoint was not finished: the one
 * before and every log since count), n.ckpt.new (never looked at), n.ckpt and older files (not yet
 * removed), a cut record at the end of a log, behind what the next says of it or in the last (its
 * writer was promised nothing), a log without its first record (it holds nothing). A new process never appends to an old log.
 */
#include "queue/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/journal_frame.h"
#include "queue/journal_parts.h"
#include "queue/spool_io.h"

#define CHECKPOINT_MINIMUM (16U << 20)
#define BUFFER_MAX	   (64U << 20)
#define AT_ONCE_MAX	   (4U << 20)
#define BUFFER_KEPT	   (4U << 20)
#define RETRY_SEC	   1
#define RESERVE_SIZE	   JOURNAL_LOG_CHUNK

static void on_timer(evutil_socket_t, short, void *);

/*
 * Room kept for the day when the disk is full: what was delivered by then can be written down, and
 * so gives its own room back.
 */
void
journal_keep_reserve(struct journal *j)
{
	int fd =
	    openat(j->past.dirfd, "reserve", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && fallocate(fd, 0, 0, RESERVE_SIZE) != 0)
		log_debug("journal: no room for a reserve");
	if (fd >= 0)
		close(fd);
}

bool
journal_give_up_something(struct journal *j)
{
	if (journal_past_remove_before(&j->past, j->last_checkpoint))
		return true;
	if (unlinkat(j->past.dirfd, "reserve", 0) != 0)
		return false;
	log_warnx("journal: the disk is full, the reserve is used");
	return true;
}

int
journal_begin_log(struct journal *j)
{
	int error;

	do {
		if (journal_log_begin(&j->log, j->past.dirfd, j->past.instance) == 0) {
			j->log_size = j->log.at;
			j->not_before = 0;
			return 0;
		}
		error = errno;
	} while (spool_is_full(error) && journal_give_up_something(j));
	errno = error;
	return -1;
}

struct journal *
journal_open(struct event_base *base, int dirfd, int corruptfd, uint64_t instance,
    journal_replay_fn *replay, const struct journal_ops *ops, void *arg)
{
	struct journal *j = xcalloc(1, sizeof *j);
	struct journal_history history;

	j->past.dirfd = dirfd;
	j->past.corruptfd = corruptfd;
	j->past.instance = instance;
	j->ops = ops;
	j->arg = arg;
	j->log.fd = -1;
	j->healthy = true;
	j->checkpoint_minimum = CHECKPOINT_MINIMUM;
	j->buffer_maximum = BUFFER_MAX;
	j->at_once = AT_ONCE_MAX;
	buf_init(&j->collecting, BUFFER_MAX + 2 * JOURNAL_RECORD_MAX);
	buf_init(&j->flushing, BUFFER_MAX + 2 * JOURNAL_RECORD_MAX);
	buf_init(&j->scratch, JOURNAL_RECORD_MAX);
	journal_past_remove_unfinished(&j->past);
	history = journal_past_replay(&j->past, replay, arg);
	j->log.number = history.last;
	j->log.at = history.end;
	j->last_checkpoint = history.checkpoint;
	j->trusted = j->whole = history.whole;
	j->is_new = history.last == 0;
	j->past_size = history.size;
	j->last_checkpoint_size = history.checkpoint_size;
	journal_past_release_tail(&j->past, history.last);
	j->worker = worker_new(base);
	j->timer = evtimer_new(base, on_timer, j);
	if (journal_begin_log(j) != 0) {
		log_warn("journal: no log can be begun, trying on");
		j->healthy = false;
		j->failed_log = true;
		event_add(j->timer, &(struct timeval){RETRY_SEC, 0});
	}
	return j;
}

void
journal_set_arg(struct journal *j, void *arg)
{
	j->arg = arg;
}

bool
journal_is_whole(const struct journal *j)
{
	return j->whole;
}

bool
journal_is_new(const struct journal *j)
{
	return j->is_new;
}

void
journal_replay_again(const struct journal *j, journal_replay_fn *replay, void *arg)
{
	journal_past_replay_again(&j->past, j->log.number, replay, arg);
}

void
journal_set_at_once(struct journal *j, uint64_t octets)
{
	j->at_once = octets;
}

void
journal_set_checkpoint_minimum(struct journal *j, uint64_t octets)
{
	j->checkpoint_minimum = octets;
}

/* On the flush thread. */
static void
flush_run(struct worker_task *t)
{
	struct journal *j = (struct journal *)(void *)t;

	j->error = journal_log_write(&j->log, buf_span(&j->flushing));
}

static void
set_health(struct journal *j, bool healthy)
{
	if (healthy == j->healthy)
		return;
	j->healthy = healthy;
	if (healthy)
		log_info("journal: writing works again");
	j->ops->on_health(healthy, j->arg);
}

/*
 * A log whose write or flush failed is never believed again: what it did not
 * take is written to a new one, from memory.
 */
static void
recover_log(struct journal *j)
{
	errno = j->error;
	if (j->healthy)
		log_warn("journal: log %" PRIu64 " cannot be written, a new one is tried",
		    j->log.number);
	set_health(j, false);
	j->failed_log = true;
	event_add(j->timer, &(struct timeval){RETRY_SEC, 0});
}

static void start_flush(struct journal *j);

void
journal_note_durable(struct journal *j, uint64_t position)
{
	j->durable = position;
	set_health(j, true);
	j->ops->on_durable(j->durable, j->arg);
	if (j->collecting.len > 0)
		start_flush(j);
}

/* Empties a buffer; a burst does not hold its memory for ever. */
static void
empty(struct buf *b)
{
	if (b->cap > BUFFER_KEPT)
		buf_release(b);
	else
		buf_clear(b);
}

static void
flush_done(struct worker_task *t)
{
	struct journal *j = (struct journal *)(void *)t;

	j->in_flight = false;
	if (j->error == 0) {
		empty(&j->flushing);
		j->durable = j->flushing_to;
		j->log_size = j->log.at;
	}
	if (j->excess != JOURNAL_EXCESS_NONE) {
		buf_release(&j->flushing);
		j->ops->on_durable(j->durable, j->arg);
		return;
	}
	if (j->error != 0) {
		recover_log(j);
		return;
	}
	journal_maybe_checkpoint(j);
	journal_note_durable(j, j->durable);
}

static void
start_flush(struct journal *j)
{
	if (j->in_flight)
		return;
	if (j->flushing.len == 0) {
		struct buf t = j->flushing;

		j->flushing = j->collecting;
		j->collecting = t;
		j->flushing_to = j->position;
	}
	if (j->flushing.len == 0)
		return;
	j->in_flight = true;
	j->task = (struct worker_task){.run = flush_run, .done = flush_done};
	worker_submit(j->worker, &j->task);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct journal *j = arg;

	(void)fd, (void)what;
	if (j->excess != JOURNAL_EXCESS_NONE) {
		if (j->excess == JOURNAL_EXCESS_LOST &&
		    (j->in_flight || journal_replace_excess(j, false) != 0))
			event_add(j->timer, &(struct timeval){RETRY_SEC, 0});
		return;
	}
	if (j->failed_log && !j->in_flight) {
		/* What the failed log held below its end was flushed before and stays valid. */
		if (journal_begin_log(j) != 0) {
			event_add(j->timer, &(struct timeval){RETRY_SEC, 0});
			return;
		}
		j->failed_log = false;
		if (j->flushing.len == 0 && j->collecting.len == 0)
			set_health(j, true);
	}
	start_flush(j);
	if (j->wanted)
		journal_maybe_checkpoint(j);
}

static void
add_frame(struct journal *j, struct span record)
{
	unsigned char h[JOURNAL_FRAME_HEADER];

	journal_frame_header(j->past.instance, record, h);
	if (buf_add(&j->collecting, h, sizeof h) != 0 ||
	    buf_add_span(&j->collecting, record) != 0)
		fatalx("a journal record is too long");
}

/*
 * The log being written is not continued: what is dropped here stood between what it has and what comes. Memory knows
 * it all, and a checkpoint of it will say so.
 */
void
journal_exceed(struct journal *j)
{
	if (j->excess == JOURNAL_EXCESS_NONE)
		log_warnx("journal: more waits to be written than memory may hold: a "
			  "checkpoint will take its place");
	j->excess = JOURNAL_EXCESS_LOST;
	j->failed_log |= j->in_flight || !journal_log_is_empty(&j->log);
	buf_release(&j->collecting);
	if (!j->in_flight)
		buf_release(&j->flushing);
	set_health(j, false);
	event_add(j->timer, &(struct timeval){RETRY_SEC, 0});
}

uint64_t
journal_append(struct journal *j, struct span record)
{
	if (j->excess == JOURNAL_EXCESS_LOST)
		return ++j->position;
	if (j->collecting.len + j->flushing.len > j->buffer_maximum) {
		j->position++;
		journal_exceed(j);
		return j->position;
	}
	if (j->collecting.len == 0)
		add_frame(j, span_str(JOURNAL_FLUSH_RECORD));
	add_frame(j, record);
	if (!event_pending(j->timer, EV_TIMEOUT, NULL) && !j->in_flight)
		event_add(j->timer, &(struct timeval){0, JOURNAL_FLUSH_MS * 1000});
	return ++j->position;
}

uint64_t
journal_appendf(struct journal *j, const char *fmt, ...)
{
	struct buf b;
	va_list ap;
	uint64_t position;

	buf_init(&b, JOURNAL_RECORD_MAX);
	va_start(ap, fmt);
	if (buf_vaddf(&b, fmt, ap) != 0)
		fatalx("a journal record is too long");
	va_end(ap);
	position = journal_append(j, buf_span(&b));
	buf_release(&b);
	return position;
}

struct buf *
journal_scratch(struct journal *j)
{
	buf_clear(&j->scratch);
	return &j->scratch;
}

uint64_t
journal_position(const struct journal *j)
{
	return j->position;
}

uint64_t
journal_durable(const struct journal *j)
{
	return j->durable;
}

bool
journal_healthy(const struct journal *j)
{
	return j->healthy;
}

size_t
journal_backlog(const struct journal *j)
{
	return j->excess != JOURNAL_EXCESS_NONE ? j->buffer_maximum
						: j->collecting.len + j->flushing.len;
}

void
journal_set_buffer_maximum(struct journal *j, size_t octets)
{
	j->buffer_maximum = octets;
}

void
journal_flush_wait(struct journal *j)
{
	worker_drain(j->worker);
	while ((j->collecting.len > 0 || j->flushing.len > 0) && !j->failed_log &&
	       j->excess == JOURNAL_EXCESS_NONE) {
		start_flush(j);
		worker_drain(j->worker);
	}
}

void
journal_close(struct journal **jp)
{
	struct journal *j = *jp;

	if (j == NULL)
		return;
	*jp = NULL;
	journal_flush_wait(j);
	journal_wait_checkpoint(j);
	if (j->excess != JOURNAL_EXCESS_NONE)
		(void)journal_replace_excess(j, true);
	journal_flush_wait(j);
	worker_free(&j->worker);
	event_free(j->timer);
	buf_release(&j->collecting);
	buf_release(&j->flushing);
	buf_release(&j->scratch);
	journal_log_close(&j->log);
	free(j);
}
