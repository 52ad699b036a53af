/*
 * journal_log: the log that is being written. See journal_log.h. It is allocated
 * ahead in steps, so that a full disk is met before it matters.
 *
 * Its first record is on disk before anything else of it is written: a crash leaves a log that was begun,
 * or one that holds nothing.
 */
#include "queue/journal_log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "queue/journal_file.h"
#include "queue/journal_frame.h"
#include "queue/spool_io.h"

/* Allocates a log ahead, up to where it can. -1 with errno if not even `need` octets more can be had. */
static int
allocate_ahead(int fd, uint64_t *allocated, uint64_t need)
{
	if (fallocate(fd, 0, (off_t)*allocated, JOURNAL_LOG_CHUNK) == 0 ||
	    errno == EOPNOTSUPP) {
		*allocated += JOURNAL_LOG_CHUNK;
		return 0;
	}
	if (!spool_is_full(errno) ||
	    (need > 0 && fallocate(fd, 0, (off_t)*allocated, (off_t)need) != 0))
		return -1;
	*allocated += need;
	return 0;
}

/* 0, or errno. */
static int
write_octets(int fd, struct span octets, uint64_t at)
{
	while (octets.len > 0) {
		ssize_t n = pwrite(fd, octets.p, octets.len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? EIO : errno;
		octets = span_skip(octets, (size_t)n);
		at += (size_t)n;
	}
	return 0;
}

/* What it begins with, into its file: 0, or -1 with errno. */
static int
write_first(struct journal_log *l, const struct journal_log *before, uint64_t instance)
{
	struct journal_log_record r = {.number = l->number, .before = before->at};
	char frame[JOURNAL_FRAME_HEADER + JOURNAL_LOG_SIZE];
	size_t n = journal_log_record_format(&r, frame + JOURNAL_FRAME_HEADER);

	journal_frame_header(
	    instance, span_make(frame + JOURNAL_FRAME_HEADER, n), (unsigned char *)frame);
	l->at = l->first = JOURNAL_FRAME_HEADER + n;
	errno = write_octets(l->fd, span_make(frame, l->first), 0);
	return errno == 0 ? 0 : -1;
}

int
journal_log_begin(struct journal_log *l, int dirfd, uint64_t instance)
{
	struct journal_log new = {.number = l->number + 1};
	char name[JOURNAL_NAME_SIZE];
	int saved;

	(void)unlinkat(dirfd, journal_file_name(new.number, ".log", name), 0);
	new.fd =
	    openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (new.fd < 0)
		return -1;
	if (allocate_ahead(new.fd, &new.allocated, 0) == 0 &&
	    write_first(&new, l, instance) == 0 && fsync(new.fd) == 0 && fsync(dirfd) == 0) {
		journal_log_close(l);
		*l = new;
		return 0;
	}
	saved = errno;
	close(new.fd);
	(void)unlinkat(dirfd, name, 0);
	errno = saved;
	return -1;
}

bool
journal_log_is_empty(const struct journal_log *l)
{
	return l->at == l->first;
}

int
journal_log_write(struct journal_log *l, struct span frames)
{
	/* Behind the last frame there is room for the zeros that end the log. */
	uint64_t end = l->at + frames.len + JOURNAL_FRAME_HEADER;
	int error;

	while (end > l->allocated)
		if (allocate_ahead(l->fd, &l->allocated, end - l->allocated) != 0)
			return errno;
	error = write_octets(l->fd, frames, l->at);
	while (error == 0 && fdatasync(l->fd) != 0)
		if (errno != EINTR)
			error = errno;
	if (error == 0)
		l->at += frames.len;
	return error;
}

void
journal_log_close(struct journal_log *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
