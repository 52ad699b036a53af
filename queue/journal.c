/*
 * journal: the log of outcomes and its checkpoints. See journal.h.
 *
 *	<n>.log   records in order of time, after the state of <n>.ckpt
 *	<n>.ckpt  the whole state, as records, ended by an END record
 *
 * frame = length (4) | CRC-32C of instance and body (4) | body. What one flush made durable begins with
 * a FLUSH record. A length of 0 ends a log:
 * logs are allocated ahead in JOURNAL_CHUNK steps, so that a full disk is met before it matters.
 *
 * States a crash can leave: n.log without n.ckpt (the checkpoint was not finished: the one
 * before and every log since count), n.ckpt.new (never looked at), n.ckpt and older files (not yet
 * removed), a cut record at the end of the last log (its writer was promised nothing). A new
 * process never appends to an old log.
 */
#include "queue/journal.h"

#include <dirent.h>
#include <endian.h>
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
#include "common/crc32c.h"
#include "common/log.h"
#include "common/worker.h"
#include "common/xalloc.h"
#include "queue/quarantine.h"

#define JOURNAL_CHUNK	   (4U << 20)
#define RECORD_MAX	   (8U << 20)
#define CHECKPOINT_MINIMUM (16U << 20)
#define BUFFER_MAX	   (64U << 20)
#define RETRY_SEC	   1
#define RESERVE_SIZE	   JOURNAL_CHUNK
#define FRAME_HEADER	   8
#define END_RECORD	   "END"
#define FLUSH_RECORD	   "+"
#define NAME_SIZE	   32

struct journal {
	struct worker_task task; /* the flush under way */
	struct worker *worker;
	const struct journal_ops *ops;
	void *arg;
	int dirfd, corruptfd;
	uint64_t instance;
	uint64_t number; /* of the log being written */
	int fd;
	uint64_t at; /* octets of the log written so far */
	uint64_t allocated;
	uint64_t last_checkpoint_size, checkpoint_minimum;
	struct buf collecting, flushing; /* frames not written, being written */
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

static const char *
file_name(uint64_t n, const char *suffix, char out[NAME_SIZE])
{
	snprintf(out, NAME_SIZE, "%010" PRIu64 "%s", n, suffix);
	return out;
}

static uint32_t
frame_crc(uint64_t instance, struct span body)
{
	uint64_t seed = htobe64(instance);

	return crc32c(crc32c(0, &seed, sizeof seed), body.p, body.len);
}

static void
frame_header(uint64_t instance, struct span body, unsigned char h[FRAME_HEADER])
{
	uint32_t v[2] = {htobe32((uint32_t)body.len), htobe32(frame_crc(instance, body))};

	memcpy(h, v, sizeof v);
}

/* Takes the next frame's body off *rest. 1: taken; 0: the end; -1: no whole frame stands there. */
static int
next_frame(uint64_t instance, struct span *rest, struct span *body)
{
	uint32_t v[2];

	if (rest->len < FRAME_HEADER)
		return rest->len == 0 ? 0 : -1;
	memcpy(v, rest->p, sizeof v);
	if (v[0] == 0)
		return 0;
	*body = span_first(span_skip(*rest, FRAME_HEADER), be32toh(v[0]));
	if (be32toh(v[0]) > RECORD_MAX || body->len != be32toh(v[0]) ||
	    frame_crc(instance, *body) != be32toh(v[1]))
		return -1;
	*rest = span_skip(*rest, FRAME_HEADER + body->len);
	return 1;
}

/* The whole file in memory (the caller frees), or NULL with errno. */
static char *
read_file(int dirfd, const char *name, size_t *len)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char *p = NULL;
	size_t have = 0;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		goto done;
	p = xmalloc((size_t)st.st_size);
	while (have < (size_t)st.st_size) {
		ssize_t n = read(fd, p + have, (size_t)st.st_size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(p);
			p = NULL;
			goto done;
		}
		have += (size_t)n;
	}
	*len = have;
done:
	close(fd);
	return p;
}

/*
 * Is what stands behind the last good frame only what a cut write leaves? Pages of one write reach the
 * disk in any order, so good frames may follow; but once a later write has begun, this one was on disk.
 */
static bool
rest_is_cut_write(uint64_t instance, struct span rest)
{
	struct span body;

	while (rest.len >= FRAME_HEADER) {
		const char *flush =
		    memmem(rest.p, rest.len, FLUSH_RECORD, strlen(FLUSH_RECORD));
		struct span r;

		if (flush == NULL)
			return true;
		if (flush - rest.p < FRAME_HEADER) {
			rest = span_skip(rest, (size_t)(flush - rest.p) + 1);
			continue;
		}
		r = span_skip(rest, (size_t)(flush - rest.p) - FRAME_HEADER);
		if (next_frame(instance, &r, &body) == 1 && span_is(body, FLUSH_RECORD))
			return false;
		rest = span_skip(rest, (size_t)(flush - rest.p) - FRAME_HEADER + 1);
	}
	return true;
}

/* Calls replay for each frame; false if the file is damaged. want_end: a checkpoint, which must end with END. */
static bool
replay_bytes(
    struct journal *j, struct span bytes, bool want_end, journal_replay_fn *replay, void *arg)
{
	struct span body;

	while (next_frame(j->instance, &bytes, &body) == 1) {
		if (want_end && span_is(body, END_RECORD))
			return true;
		if (replay != NULL && !span_is(body, FLUSH_RECORD))
			replay(body, arg);
	}
	return !want_end && rest_is_cut_write(j->instance, bytes);
}

/* The numbers of files with this suffix, sorted; the caller frees. */
static size_t
list_numbers(int dirfd, const char *suffix, uint64_t **numbers)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	size_t n = 0;

	*numbers = NULL;
	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		char again[NAME_SIZE];
		uint64_t v = strtoull(e->d_name, NULL, 10);
		size_t i;

		if (strcmp(file_name(v, suffix, again), e->d_name) != 0)
			continue;
		*numbers = xreallocarray(*numbers, n + 1, sizeof **numbers);
		for (i = n++; i > 0 && (*numbers)[i - 1] > v; i--)
			(*numbers)[i] = (*numbers)[i - 1];
		(*numbers)[i] = v;
	}
	closedir(d);
	return n;
}

static bool
replay_file(struct journal *j, uint64_t number, const char *suffix, bool want_end,
    journal_replay_fn *replay, void *arg)
{
	char name[NAME_SIZE];
	size_t len = 0;
	char *p = read_file(j->dirfd, file_name(number, suffix, name), &len);
	bool whole = p != NULL && replay_bytes(j, span_make(p, len), want_end, replay, arg);

	free(p);
	return whole;
}

/* The newest whole checkpoint is replayed; returns its number, 0 if there is none. */
static uint64_t
replay_checkpoint(struct journal *j, journal_replay_fn *replay, void *arg)
{
	uint64_t *numbers, found = 0;
	size_t n = list_numbers(j->dirfd, ".ckpt", &numbers);
	char name[NAME_SIZE];

	while (n > 0 && found == 0) {
		uint64_t v = numbers[--n];

		if (replay_file(j, v, ".ckpt", true, NULL, NULL)) {
			(void)replay_file(j, v, ".ckpt", true, replay, arg);
			found = v;
		} else {
			quarantine_move(j->dirfd, file_name(v, ".ckpt", name), j->corruptfd,
			    "this checkpoint is damaged; an older one and the logs were used");
		}
	}
	free(numbers);
	return found;
}

static void
replay_all(struct journal *j, journal_replay_fn *replay, void *arg)
{
	uint64_t from = replay_checkpoint(j, replay, arg), *numbers;
	size_t n = list_numbers(j->dirfd, ".log", &numbers);
	char name[NAME_SIZE];

	j->number = from;
	for (size_t i = 0; i < n; i++) {
		if (numbers[i] > j->number)
			j->number = numbers[i];
		if (numbers[i] >= from &&
		    !replay_file(j, numbers[i], ".log", false, replay, arg))
			quarantine_copy(j->dirfd, file_name(numbers[i], ".log", name),
			    j->corruptfd,
			    "records in the middle of this log are damaged; what follows them "
			    "was not "
			    "used: some mail may be delivered twice, none is lost");
	}
	free(numbers);
}

/*
 * What was allocated ahead for the last log, and not used, is given back: on a full disk it is what
 * lets us begin.
 */
static void
release_tail(struct journal *j)
{
	char name[NAME_SIZE];
	size_t len = 0;
	char *p = read_file(j->dirfd, file_name(j->number, ".log", name), &len);
	size_t end = len;
	int fd = p != NULL ? openat(j->dirfd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC) : -1;

	while (end > 0 && p[end - 1] == '\0')
		end--;
	if (fd >= 0 && end < len && ftruncate(fd, (off_t)end) != 0)
		log_warn("journal: log %" PRIu64, j->number);
	if (fd >= 0)
		close(fd);
	free(p);
}

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
	int fd = openat(j->dirfd, "reserve", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && fallocate(fd, 0, 0, RESERVE_SIZE) != 0)
		log_debug("journal: no room for a reserve");
	if (fd >= 0)
		close(fd);
}

/* A new file for log number + 1, allocated ahead; its descriptor, or -1 with errno. */
static int
make_log(struct journal *j, uint64_t *allocated)
{
	char name[NAME_SIZE];
	int fd, saved;

	(void)unlinkat(j->dirfd, file_name(j->number + 1, ".log", name), 0);
	fd = openat(j->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	*allocated = 0;
	if (allocate_ahead(fd, allocated, 0) == 0 && fsync(fd) == 0 && fsync(j->dirfd) == 0)
		return fd;
	saved = errno;
	close(fd);
	(void)unlinkat(j->dirfd, name, 0);
	errno = saved;
	return -1;
}

/* Begins log number + 1. -1 with errno; the old one stays in use. */
static int
begin_log(struct journal *j)
{
	uint64_t allocated;
	int fd = make_log(j, &allocated);

	if (fd < 0 && errno == ENOSPC && unlinkat(j->dirfd, "reserve", 0) == 0) {
		log_warnx("journal: the disk is full, the reserve is used");
		fd = make_log(j, &allocated);
	}
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

	j->dirfd = dirfd;
	j->corruptfd = corruptfd;
	j->instance = instance;
	j->ops = ops;
	j->arg = arg;
	j->fd = -1;
	j->healthy = true;
	j->checkpoint_minimum = CHECKPOINT_MINIMUM;
	buf_init(&j->collecting, BUFFER_MAX);
	buf_init(&j->flushing, BUFFER_MAX);
	replay_all(j, replay, arg);
	release_tail(j);
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
	while (end + FRAME_HEADER > j->allocated) {
		if (allocate_ahead(j->fd, &j->allocated, end + FRAME_HEADER - j->allocated) !=
		    0) {
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
	unsigned char h[FRAME_HEADER];

	if (j->collecting.len == 0 && !span_is(record, FLUSH_RECORD))
		add_frame(j, span_str(FLUSH_RECORD));
	frame_header(j->instance, record, h);
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

	buf_init(&b, RECORD_MAX);
	va_start(ap, fmt);
	if (buf_vaddf(&b, fmt, ap) != 0)
		fatalx("a journal record is too long");
	va_end(ap);
	position = journal_append(j, buf_span(&b));
	buf_release(&b);
	return position;
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
journal_flush_soon(struct journal *j)
{
	if (!j->failed_log)
		start_flush(j);
}

void
journal_checkpoint_add(struct journal *j, struct span record)
{
	unsigned char h[FRAME_HEADER];

	frame_header(j->instance, record, h);
	fwrite(h, 1, sizeof h, j->checkpoint);
	fwrite(record.p, 1, record.len, j->checkpoint);
}

void
journal_checkpoint_addf(struct journal *j, const char *fmt, ...)
{
	struct buf b;
	va_list ap;

	buf_init(&b, RECORD_MAX);
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
	char name[NAME_SIZE], temporary[NAME_SIZE];
	int fd, r = -1;

	file_name(number, ".ckpt", name);
	file_name(number, ".ckpt.new", temporary);
	(void)unlinkat(j->dirfd, temporary, 0);
	fd = openat(
	    j->dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	j->checkpoint = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (j->checkpoint == NULL)
		return -1;
	j->checkpoint_failed = false;
	j->ops->on_checkpoint(j, j->arg);
	journal_checkpoint_add(j, span_str(END_RECORD));
	if (!j->checkpoint_failed && fflush(j->checkpoint) == 0 && !ferror(j->checkpoint) &&
	    fsync(fd) == 0 && renameat(j->dirfd, temporary, j->dirfd, name) == 0 &&
	    fsync(j->dirfd) == 0)
		r = 0;
	fclose(j->checkpoint);
	j->checkpoint = NULL;
	if (r != 0)
		(void)unlinkat(j->dirfd, temporary, 0);
	return r;
}

/* Removes what checkpoint number replaces. A crash in between leaves files that the next start removes. */
static void
remove_older(struct journal *j, uint64_t number)
{
	static const char *const suffixes[] = {".log", ".ckpt", ".ckpt.new"};

	for (size_t s = 0; s < sizeof suffixes / sizeof *suffixes; s++) {
		uint64_t *numbers;
		size_t n = list_numbers(j->dirfd, suffixes[s], &numbers);
		char name[NAME_SIZE];

		for (size_t i = 0; i < n; i++)
			if (numbers[i] < number)
				(void)unlinkat(
				    j->dirfd, file_name(numbers[i], suffixes[s], name), 0);
		free(numbers);
	}
}

static void
note_checkpoint_size(struct journal *j, uint64_t number)
{
	char name[NAME_SIZE];
	struct stat st;

	if (fstatat(j->dirfd, file_name(number, ".ckpt", name), &st, AT_SYMLINK_NOFOLLOW) == 0)
		j->last_checkpoint_size = (uint64_t)st.st_size;
}

int
journal_settle(struct journal *j)
{
	if (j->failed_log || write_checkpoint(j, j->number) != 0)
		return -1;
	note_checkpoint_size(j, j->number);
	remove_older(j, j->number);
	keep_reserve(j);
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
		note_checkpoint_size(j, j->checkpoint_number);
		remove_older(j, j->checkpoint_number);
		keep_reserve(j);
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
	worker_drain(j->worker);
	while ((j->collecting.len > 0 || j->flushing.len > 0) && !j->failed_log) {
		start_flush(j);
		worker_drain(j->worker);
	}
	if (j->child != NULL)
		on_child(event_get_fd(j->child), 0, j);
	worker_free(&j->worker);
	event_free(j->timer);
	buf_release(&j->collecting);
	buf_release(&j->flushing);
	if (j->fd >= 0)
		close(j->fd);
	free(j);
}
