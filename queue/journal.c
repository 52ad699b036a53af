/*
 * journal: the log of outcomes and its checkpoints. See journal.h.
 *
 *	<n>.log   records in order of time, after the state of <n>.ckpt
 *	<n>.ckpt  the whole state, as records, ended by an END record
 *
 * The checkpoint before the last stays, with the logs since: should the last one rot, they say the same.
 *
 * What one flush made durable begins with a flush record. Logs are allocated ahead in JOURNAL_CHUNK
 * steps, so that a full disk is met before it matters.
 *
 * States a crash can leave: n.log without n.ckpt (the checkpoint was not finished: the one
 * before and every log since count), n.ckpt.new (never looked at), n.ckpt and older files (not yet
 * removed), a cut record at the end of the last log (its writer was promised nothing). A new
 * process never appends to an old log.
 */
#include "queue/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/worker.h"
#include "common/xalloc.h"
#include "queue/journal_file.h"
#include "queue/journal_frame.h"
#include "queue/journal_past.h"

#define JOURNAL_CHUNK	   (4U << 20)
#define CHECKPOINT_MINIMUM (16U << 20)
#define BUFFER_MAX	   (64U << 20)
#define RETRY_SEC	   1
#define RESERVE_SIZE	   JOURNAL_CHUNK

struct journal {
	struct worker_task task; /* the flush under way */
	struct worker *worker;
	const struct journal_ops *ops;
	void *arg;
	struct journal_past past;
	uint64_t number; /* of the log being written */
	int fd;
	uint64_t at; /* octets of the log written so far */
	uint64_t allocated;
	uint64_t last_checkpoint_size, checkpoint_minimum;
	uint64_t last_checkpoint;
	bool trusted;			 /* last_checkpoint and the logs since say it all */
	bool whole;			 /* as in struct journal_history */
	bool is_new;			 /* there was no file */
	struct buf collecting, flushing; /* frames not written, being written */
	struct buf scratch;
	uint64_t position, flushing_to, durable;
	struct event *timer, *child;
	bool in_flight, healthy, failed_log;
	int error;
	FILE *checkpoint; /* within on_checkpoint */
	bool checkpoint_failed;
	uint64_t checkpoint_number;
	pid_t checkpoint_pid;
};

static void on_timer(evutil_socket_t, short, void *);

/* Allocates a log ahead, up to where it can. -1 with errno if not even `need` octets more can be had. */
static int
allocate_ahead(int fd, uint64_t *allocated, uint64_t need)
{
	if (fallocate(fd, 0, (off_t)*allocated, JOURNAL_CHUNK) == 0 || errno == EOPNOTSUPP) {
		*allocated += JOURNAL_CHUNK;
		return 0;
	}
	if (errno != ENOSPC ||
	    (need > 0 && fallocate(fd, 0, (off_t)*allocated, (off_t)need) != 0))
		return -1;
	*allocated += need;
	return 0;
}

/*
 * Room kept for the day when the disk is full: what was delivered by then can be written down, and
 * so gives its own room back.
 */
static void
keep_reserve(struct journal *j)
{
	int fd =
	    openat(j->past.dirfd, "reserve", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && fallocate(fd, 0, 0, RESERVE_SIZE) != 0)
		log_debug("journal: no room for a reserve");
	if (fd >= 0)
		close(fd);
}

/* A new file for log number + 1, allocated ahead; its descriptor, or -1 with errno. */
static int
make_log(struct journal *j, uint64_t *allocated)
{
	char name[JOURNAL_NAME_SIZE];
	int fd, saved;

	(void)unlinkat(j->past.dirfd, journal_file_name(j->number + 1, ".log", name), 0);
	fd = openat(
	    j->past.dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	*allocated = 0;
	if (allocate_ahead(fd, allocated, 0) == 0 && fsync(fd) == 0 &&
	    fsync(j->past.dirfd) == 0)
		return fd;
	saved = errno;
	close(fd);
	(void)unlinkat(j->past.dirfd, name, 0);
	errno = saved;
	return -1;
}

/* The disk is full: gives up what is there for this day, the least needed first. False if nothing is left. */
static bool
give_up_something(struct journal *j)
{
	if (journal_past_remove_before(&j->past, j->last_checkpoint))
		return true;
	if (unlinkat(j->past.dirfd, "reserve", 0) != 0)
		return false;
	log_warnx("journal: the disk is full, the reserve is used");
	return true;
}

/* Begins log number + 1. -1 with errno; the old one stays in use. */
static int
begin_log(struct journal *j)
{
	uint64_t allocated;
	int fd;

	do {
		fd = make_log(j, &allocated);
	} while (fd < 0 && errno == ENOSPC && give_up_something(j));
	if (fd < 0)
		return -1;
	if (j->fd >= 0)
		close(j->fd);
	j->fd = fd;
	j->number++;
	j->at = 0;
	j->allocated = allocated;
	return 0;
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
	j->fd = -1;
	j->healthy = true;
	j->checkpoint_minimum = CHECKPOINT_MINIMUM;
	buf_init(&j->collecting, BUFFER_MAX);
	buf_init(&j->flushing, BUFFER_MAX);
	buf_init(&j->scratch, JOURNAL_RECORD_MAX);
	journal_past_remove_unfinished(&j->past);
	history = journal_past_replay(&j->past, replay, arg);
	j->number = history.last;
	j->last_checkpoint = history.checkpoint;
	j->trusted = j->whole = history.whole;
	j->is_new = history.last == 0;
	journal_past_release_tail(&j->past, j->number);
	j->worker = worker_new(base);
	j->timer = evtimer_new(base, on_timer, j);
	if (begin_log(j) != 0) {
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
	journal_past_replay_again(&j->past, j->number, replay, arg);
}

void
journal_set_checkpoint_minimum(struct journal *j, uint64_t octets)
{
	j->checkpoint_minimum = octets;
}

/* On the flush thread: makes room ahead, writes, flushes. */
static void
flush_run(struct worker_task *t)
{
	struct journal *j = (struct journal *)(void *)t;
	uint64_t end = j->at + j->flushing.len;
	size_t done = 0;

	j->error = 0;
	while (end + JOURNAL_FRAME_HEADER > j->allocated) {
		if (allocate_ahead(
			j->fd, &j->allocated, end + JOURNAL_FRAME_HEADER - j->allocated) != 0) {
			j->error = errno;
			return;
		}
	}
	while (done < j->flushing.len) {
		ssize_t n = pwrite(
		    j->fd, j->flushing.p + done, j->flushing.len - done, (off_t)(j->at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			j->error = n == 0 ? EIO : errno;
			return;
		}
		done += (size_t)n;
	}
	while (fdatasync(j->fd) != 0) {
		if (errno != EINTR) {
			j->error = errno;
			return;
		}
	}
	j->at = end;
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
		    j->number);
	set_health(j, false);
	j->failed_log = true;
	event_add(j->timer, &(struct timeval){RETRY_SEC, 0});
}

static void start_flush(struct journal *j);
static void maybe_checkpoint(struct journal *j);

static void
flush_done(struct worker_task *t)
{
	struct journal *j = (struct journal *)(void *)t;

	j->in_flight = false;
	if (j->error != 0) {
		recover_log(j);
		return;
	}
	buf_clear(&j->flushing);
	j->durable = j->flushing_to;
	set_health(j, true);
	j->ops->on_durable(j->durable, j->arg);
	if (j->collecting.len > 0)
		start_flush(j);
	else
		maybe_checkpoint(j);
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
	if (j->failed_log && !j->in_flight) {
		/* What the failed log held below j->at was flushed before and stays valid. */
		if (begin_log(j) != 0) {
			event_add(j->timer, &(struct timeval){RETRY_SEC, 0});
			return;
		}
		j->failed_log = false;
		if (j->flushing.len == 0 && j->collecting.len == 0)
			set_health(j, true);
	}
	start_flush(j);
}

static void
add_frame(struct journal *j, struct span record)
{
	unsigned char h[JOURNAL_FRAME_HEADER];

	if (j->collecting.len == 0 && !span_is(record, JOURNAL_FLUSH_RECORD))
		add_frame(j, span_str(JOURNAL_FLUSH_RECORD));
	journal_frame_header(j->past.instance, record, h);
	if (buf_add(&j->collecting, h, sizeof h) != 0 ||
	    buf_add_span(&j->collecting, record) != 0)
		fatalx("the journal cannot be written and its buffer is full");
}

uint64_t
journal_append(struct journal *j, struct span record)
{
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

void
journal_flush_wait(struct journal *j)
{
	worker_drain(j->worker);
	while ((j->collecting.len > 0 || j->flushing.len > 0) && !j->failed_log) {
		start_flush(j);
		worker_drain(j->worker);
	}
}

void
journal_checkpoint_add(struct journal *j, struct span record)
{
	unsigned char h[JOURNAL_FRAME_HEADER];

	journal_frame_header(j->past.instance, record, h);
	fwrite(h, 1, sizeof h, j->checkpoint);
	fwrite(record.p, 1, record.len, j->checkpoint);
}

void
journal_checkpoint_addf(struct journal *j, const char *fmt, ...)
{
	struct buf b;
	va_list ap;

	buf_init(&b, JOURNAL_RECORD_MAX);
	va_start(ap, fmt);
	if (buf_vaddf(&b, fmt, ap) != 0)
		fatalx("a checkpoint record is too long");
	va_end(ap);
	journal_checkpoint_add(j, buf_span(&b));
	buf_release(&b);
}

void
journal_checkpoint_fail(struct journal *j)
{
	log_warn("journal: checkpoint");
	j->checkpoint_failed = true;
}

/* Writes <number>.ckpt: new file, flush, rename, flush of the directory. 0, or -1 with errno. */
static int
write_checkpoint(struct journal *j, uint64_t number)
{
	char name[JOURNAL_NAME_SIZE], temporary[JOURNAL_NAME_SIZE];
	int fd, r = -1;

	journal_file_name(number, ".ckpt", name);
	journal_file_name(number, ".ckpt.new", temporary);
	(void)unlinkat(j->past.dirfd, temporary, 0);
	fd = openat(j->past.dirfd, temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	j->checkpoint = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (j->checkpoint == NULL)
		return -1;
	j->checkpoint_failed = false;
	j->ops->on_checkpoint(j, j->arg);
	journal_checkpoint_add(j, span_str(JOURNAL_END_RECORD));
	if (!j->checkpoint_failed && fflush(j->checkpoint) == 0 && !ferror(j->checkpoint) &&
	    fsync(fd) == 0 && renameat(j->past.dirfd, temporary, j->past.dirfd, name) == 0 &&
	    fsync(j->past.dirfd) == 0)
		r = 0;
	fclose(j->checkpoint);
	j->checkpoint = NULL;
	if (r != 0)
		(void)unlinkat(j->past.dirfd, temporary, 0);
	return r;
}

/*
 * Checkpoint number is on disk. The one before it stays, with the logs since: should this one rot, they
 * say the same. What is older goes.
 */
static void
checkpoint_done(struct journal *j, uint64_t number)
{
	char name[JOURNAL_NAME_SIZE];
	struct stat st;

	if (fstatat(j->past.dirfd, journal_file_name(number, ".ckpt", name), &st,
		AT_SYMLINK_NOFOLLOW) == 0)
		j->last_checkpoint_size = (uint64_t)st.st_size;
	(void)journal_past_remove_before(&j->past, j->trusted ? j->last_checkpoint : number);
	j->last_checkpoint = number;
	j->trusted = true;
	keep_reserve(j);
}

int
journal_settle(struct journal *j)
{
	if (j->failed_log || write_checkpoint(j, j->number) != 0)
		return -1;
	checkpoint_done(j, j->number);
	return 0;
}

static void
on_child(evutil_socket_t fd, short what, void *arg)
{
	struct journal *j = arg;
	int status = 0;
	pid_t pid;

	(void)what;
	do {
		pid = waitpid(j->checkpoint_pid, &status, 0);
	} while (pid < 0 && errno == EINTR);
	event_free(j->child);
	j->child = NULL;
	close(fd);
	if (pid == j->checkpoint_pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		checkpoint_done(j, j->checkpoint_number);
		return;
	}
	log_warnx("journal: checkpoint %" PRIu64 " was not written; the logs are kept",
	    j->checkpoint_number);
}

/* With nothing in flight or collecting, memory is exactly what the logs say: the state to freeze. */
static void
maybe_checkpoint(struct journal *j)
{
	uint64_t enough = j->last_checkpoint_size * 2;
	int ends[2];

	if (enough < j->checkpoint_minimum)
		enough = j->checkpoint_minimum;
	if (j->at < enough || j->child != NULL || j->collecting.len > 0)
		return;
	if (begin_log(j) != 0 || pipe2(ends, O_CLOEXEC) != 0) {
		log_warn("journal: no checkpoint now");
		return;
	}
	j->checkpoint_number = j->number;
	j->checkpoint_pid = fork();
	if (j->checkpoint_pid == 0)
		_exit(write_checkpoint(j, j->checkpoint_number) == 0 ? 0 : 1);
	close(ends[1]);
	if (j->checkpoint_pid < 0) {
		log_warn("journal: fork");
		close(ends[0]);
		return;
	}
	j->child = event_new(event_get_base(j->timer), ends[0], EV_READ, on_child, j);
	event_add(j->child, NULL);
}

void
journal_close(struct journal **jp)
{
	struct journal *j = *jp;

	if (j == NULL)
		return;
	*jp = NULL;
	journal_flush_wait(j);
	if (j->child != NULL)
		on_child(event_get_fd(j->child), 0, j);
	worker_free(&j->worker);
	event_free(j->timer);
	buf_release(&j->collecting);
	buf_release(&j->flushing);
	buf_release(&j->scratch);
	if (j->fd >= 0)
		close(j->fd);
	free(j);
}
