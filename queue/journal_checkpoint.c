/*
 * journal_checkpoint: the whole state, written beside the logs: by a forked child
 * from its frozen copy of memory, or at once where that is quick. See journal.h.
 *
 * Records appended and not yet written may be in the state already: they stand in the log behind
 * it, and change nothing when they are applied again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/forked.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "queue/journal_file.h"
#include "queue/journal_frame.h"
#include "queue/journal_parts.h"
#include "queue/spool_io.h"

#define STEP (4U << 20) /* octets given to the disk at a time */

/* Remembers the first error: the next may be another's. */
static void
note(struct journal *j, bool written)
{
	if (!written && j->checkpoint_error == 0)
		j->checkpoint_error = errno;
}

void
journal_checkpoint_add(struct journal *j, struct span record)
{
	unsigned char h[JOURNAL_FRAME_HEADER];

	journal_frame_header(j->past.instance, record, h);
	note(j, fwrite(h, 1, sizeof h, j->checkpoint) == sizeof h);
	note(j, fwrite(record.p, 1, record.len, j->checkpoint) == record.len);
	j->checkpoint_size += sizeof h + record.len;
	/* Others flush small things on this disk meanwhile, and must not wait for all of this. */
	if (j->checkpoint_size - j->checkpoint_begun >= STEP) {
		note(j, fflush(j->checkpoint) == 0);
		(void)sync_file_range(fileno(j->checkpoint), (off_t)j->checkpoint_begun, STEP,
		    SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
		j->checkpoint_begun = j->checkpoint_size;
	}
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
	j->checkpoint_error = errno != 0 ? errno : EIO;
	log_warn("journal: checkpoint");
}

/* Writes <number>.ckpt: new file, flush, rename, flush of the directory. 0, or -1 with errno. */
static int
write_checkpoint(struct journal *j, uint64_t number)
{
	char name[JOURNAL_NAME_SIZE], temporary[JOURNAL_NAME_SIZE];
	int fd, error, r = -1;

	journal_file_name(number, ".ckpt", name);
	journal_file_name(number, ".ckpt.new", temporary);
	(void)unlinkat(j->past.dirfd, temporary, 0);
	fd = openat(j->past.dirfd, temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	j->checkpoint = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (j->checkpoint == NULL)
		return -1;
	(void)setvbuf(j->checkpoint, NULL, _IOFBF, 1U << 16);
	j->checkpoint_error = 0;
	j->checkpoint_size = j->checkpoint_begun = 0;
	j->ops->on_checkpoint(j, j->arg);
	journal_checkpoint_add(j, span_str(JOURNAL_END_RECORD));
	if (j->checkpoint_error == 0 && fflush(j->checkpoint) == 0 && fsync(fd) == 0 &&
	    renameat(j->past.dirfd, temporary, j->past.dirfd, name) == 0 &&
	    fsync(j->past.dirfd) == 0)
		r = 0;
	error = j->checkpoint_error != 0 ? j->checkpoint_error : errno;
	fclose(j->checkpoint);
	j->checkpoint = NULL;
	if (r != 0)
		(void)unlinkat(j->past.dirfd, temporary, 0);
	errno = error;
	return r;
}

/*
 * The same, on a full disk with what is kept for that day: once written it gives more back than that, which is then
 * kept anew. Then the checkpoint before it stays, with the logs since: should this one rot, they say the same.
 * What is older goes, here, since it takes a while to give up the blocks of a large file.
 */
static int
replace_checkpoint(struct journal *j, uint64_t number)
{
	while (write_checkpoint(j, number) != 0)
		if (!spool_is_full(errno) || !journal_give_up_something(j))
			return -1;
	(void)journal_past_remove_before(&j->past, j->trusted ? j->last_checkpoint : number);
	return 0;
}

/* It was not written. What was given up for it in vain is kept again, as far as there is room. */
static int
checkpoint_missed(struct journal *j)
{
	journal_keep_reserve(j);
	return -1;
}

/* Checkpoint number is on disk. */
static void
checkpoint_done(struct journal *j, uint64_t number)
{
	char name[JOURNAL_NAME_SIZE];
	struct stat st;

	if (fstatat(j->past.dirfd, journal_file_name(number, ".ckpt", name), &st,
		AT_SYMLINK_NOFOLLOW) == 0)
		j->last_checkpoint_size = (uint64_t)st.st_size;
	j->last_checkpoint = number;
	j->trusted = true;
	journal_keep_reserve(j);
}

int
journal_settle(struct journal *j)
{
	if (j->failed_log)
		return -1;
	if (j->past_size > j->at_once) {
		j->wanted = true;
		event_add(j->timer, &(struct timeval){0, 0});
		return 0;
	}
	if (replace_checkpoint(j, j->log.number) != 0)
		return checkpoint_missed(j);
	checkpoint_done(j, j->log.number);
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
		if (j->excess == JOURNAL_EXCESS_WRITING) {
			j->excess = JOURNAL_EXCESS_NONE;
			journal_note_durable(j, j->checkpoint_position);
		}
		return;
	}
	log_warnx("journal: checkpoint %" PRIu64 " was not written; the logs are kept",
	    j->checkpoint_number);
	(void)checkpoint_missed(j);
	j->not_before = j->log_size + j->checkpoint_minimum;
	if (j->excess == JOURNAL_EXCESS_WRITING)
		journal_exceed(j);
}

/* In the child. end: of the pipe whose closing tells the parent that it is done. */
static void
run_child(struct journal *j, pid_t parent, int end)
{
	int kept[JOURNAL_FORKED_MAX + 2] = {j->past.dirfd, end};
	size_t n = 2;

	if (j->ops->on_forked != NULL)
		n += j->ops->on_forked(kept + n, j->arg);
	forked_begin(parent, kept, n);
	signal(SIGTERM, SIG_IGN); /* the parent waits for it when it is told to stop */
	_exit(replace_checkpoint(j, j->checkpoint_number) == 0 ? 0 : 1);
}

/* A child writes checkpoint j->log.number. -1 if there can be none. */
static int
fork_checkpoint(struct journal *j)
{
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	j->checkpoint_number = j->log.number;
	j->checkpoint_position = j->position;
	j->checkpoint_pid = fork();
	if (j->checkpoint_pid == 0)
		run_child(j, parent, ends[1]);
	close(ends[1]);
	if (j->checkpoint_pid < 0) {
		close(ends[0]);
		return -1;
	}
	j->child = event_new(event_get_base(j->timer), ends[0], EV_READ, on_child, j);
	event_add(j->child, NULL);
	return 0;
}

void
journal_maybe_checkpoint(struct journal *j)
{
	uint64_t enough = j->last_checkpoint_size * 2;

	if (enough < j->checkpoint_minimum)
		enough = j->checkpoint_minimum;
	if (!j->wanted && (j->log_size < enough || j->log_size < j->not_before))
		return;
	if (j->child != NULL || j->in_flight || j->failed_log ||
	    j->excess != JOURNAL_EXCESS_NONE)
		return;
	j->wanted = false;
	if ((!journal_log_is_empty(&j->log) && journal_begin_log(j) != 0) ||
	    fork_checkpoint(j) != 0) {
		log_warn("journal: no checkpoint now");
		j->not_before = j->log_size + j->checkpoint_minimum;
	}
}

int
journal_replace_excess(struct journal *j, bool now)
{
	if (j->child != NULL || (j->failed_log && journal_begin_log(j) != 0))
		return -1;
	j->failed_log = false;
	if (!now) {
		if (fork_checkpoint(j) != 0)
			return -1;
		j->excess = JOURNAL_EXCESS_WRITING;
		return 0;
	}
	if (replace_checkpoint(j, j->log.number) != 0)
		return checkpoint_missed(j);
	checkpoint_done(j, j->log.number);
	j->excess = JOURNAL_EXCESS_NONE;
	journal_note_durable(j, j->position);
	return 0;
}

void
journal_wait_checkpoint(struct journal *j)
{
	if (j->child != NULL)
		on_child(event_get_fd(j->child), 0, j);
}
