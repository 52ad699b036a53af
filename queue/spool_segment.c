/* spool_segment: segment files as the queue manager sees them. See spool_segment.h and doc/SPOOL.md. */
#include "queue/spool_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "queue/spool_scan.h"

const char *
spool_segment_name(uint64_t number, bool large, char out[SPOOL_NAME_SIZE])
{
	snprintf(
	    out, SPOOL_NAME_SIZE, large ? "%016" PRIx64 ".seg" : "%010" PRIu64 ".seg", number);
	return out;
}

int
spool_segment_name_parse(const char *name, bool large, uint64_t *number)
{
	char again[SPOOL_NAME_SIZE];
	char *end;

	errno = 0;
	*number = strtoull(name, &end, large ? 16 : 10);
	if (errno != 0 || end == name || strcmp(end, ".seg") != 0)
		return -1;
	return strcmp(spool_segment_name(*number, large, again), name) == 0 ? 0 : -1;
}

static int
write_header(int fd, const struct spool_segment_header *h)
{
	unsigned char page[SPOOL_PAGE];
	ssize_t n;

	spool_segment_header_format(h, page);
	n = pwrite(fd, page, sizeof page, 0);
	if (n >= 0 && n != (ssize_t)sizeof page) {
		errno = ENOSPC;
		return -1;
	}
	return n < 0 ? -1 : 0;
}

/*
 * Takes the room, which tells a full disk at once, and then writes all of it. Blocks that were only set aside would be marked as
 * written by the flush of each batch: a second write to the disk for each, or a commit of its journal. Where somebody waits
 * that is the lesser evil.
 */
static int
allocate(int fd, uint64_t size, const atomic_bool *hurry)
{
	static const char zeros[65536];

	if (fallocate(fd, 0, 0, (off_t)size) != 0) {
		if (errno != EOPNOTSUPP && errno != ENOSYS)
			return -1;
		hurry = NULL; /* it is the zeros that take the room */
	}
	for (uint64_t at = 0; at < size && (hurry == NULL || !atomic_load(hurry));) {
		uint64_t left = size - at;
		ssize_t n =
		    pwrite(fd, zeros, left < sizeof zeros ? left : sizeof zeros, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return -1;
		at += (uint64_t)n; /* why it was short the next one says */
	}
	return 0;
}

static int
fill_new_file(int dirfd, int fd, const char *temporary, const char *name,
    const struct spool_segment_header *h, bool large, const atomic_bool *hurry)
{
	uint64_t ahead = h->size < SPOOL_LARGE_AHEAD ? h->size : SPOOL_LARGE_AHEAD;

	if (!large && allocate(fd, h->size, hurry) != 0)
		return -1;
	if (large && ahead > 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)ahead) != 0 &&
	    errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
	if (write_header(fd, h) != 0 || fsync(fd) != 0)
		return -1;
	if (renameat(dirfd, temporary, dirfd, name) != 0)
		return -1;
	return fsync(dirfd);
}

int
spool_segment_create(
    int dirfd, const struct spool_segment_header *h, bool large, const atomic_bool *hurry)
{
	char name[SPOOL_NAME_SIZE], temporary[SPOOL_NAME_SIZE + 4];
	int fd, r, saved;

	spool_segment_name(h->number, large, name);
	snprintf(temporary, sizeof temporary, "%s.new", name);
	if (unlinkat(dirfd, temporary, 0) != 0 && errno != ENOENT)
		return -1;
	fd = openat(
	    dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	r = fill_new_file(dirfd, fd, temporary, name, h, large, hurry);
	saved = errno;
	close(fd);
	if (r != 0) {
		(void)unlinkat(dirfd, temporary, 0);
		errno = saved;
	}
	return r;
}

/* Opens for writing what was opened for reading before; the lock is the caller's to take. */
static int
open_write(int dirfd, uint64_t number, bool large)
{
	char name[SPOOL_NAME_SIZE];

	return openat(dirfd, spool_segment_name(number, large, name),
	    O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

int
spool_segment_renew(int dirfd, const struct spool_segment_header *h, bool large)
{
	int fd = open_write(dirfd, h->number, large), r, saved;

	if (fd < 0)
		return -1;
	r = write_header(fd, h) == 0 ? fdatasync(fd) : -1;
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

static const char *
check_file(int fd, struct stat *st)
{
	if (fstat(fd, st) != 0)
		return strerror(errno);
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (st->st_nlink != 1)
		return "has more than one link";
	if (st->st_size < (off_t)SPOOL_PAGE)
		return "shorter than its header";
	return NULL;
}

/* The file itself, of a header not yet looked at. NULL, and *why says what is wrong. */
static struct spool_segment *
open_file(int dirfd, const char *name, bool large, const char **why)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct spool_segment *s;
	struct stat st;

	if (fd < 0) {
		*why = strerror(errno);
		return NULL;
	}
	*why = check_file(fd, &st);
	if (*why != NULL) {
		close(fd);
		return NULL;
	}
	s = xcalloc(1, sizeof *s);
	s->size = (uint64_t)st.st_size;
	s->accounted = SPOOL_PAGE;
	s->state = SEGMENT_SEALED;
	s->fd = fd;
	s->large = large;
	return s;
}

struct spool_segment *
spool_segment_open(int dirfd, const char *name, bool large, uint64_t instance, const char **why)
{
	struct spool_segment *s = open_file(dirfd, name, large, why);
	struct spool_segment_header h;
	char page[SPOOL_PAGE];
	uint64_t number;

	if (s == NULL)
		return NULL;
	if (pread(s->fd, page, sizeof page, 0) != (ssize_t)sizeof page)
		*why = "its header cannot be read";
	else if (spool_segment_header_parse(span_make(page, sizeof page), &h) != 0)
		*why = "its header is damaged";
	else if (h.instance != instance)
		*why = "it belongs to another spool";
	else if (spool_segment_name_parse(name, large, &number) != 0 || number != h.number)
		*why = "its header names another segment";
	if (*why != NULL) {
		spool_segment_free(&s);
		return NULL;
	}
	s->number = h.number;
	s->generation = h.generation;
	return s;
}

struct spool_segment *
spool_segment_open_headless(
    int dirfd, const char *name, bool large, uint64_t instance, const char **why)
{
	struct spool_segment_header h;
	struct spool_segment *s;
	char page[SPOOL_PAGE];
	uint64_t number;

	if (spool_segment_name_parse(name, large, &number) != 0) {
		*why = "it is no segment";
		return NULL;
	}
	s = open_file(dirfd, name, large, why);
	if (s == NULL)
		return NULL;
	s->number = number;
	if (pread(s->fd, page, sizeof page, 0) == (ssize_t)sizeof page &&
	    spool_segment_header_parse(span_make(page, sizeof page), &h) == 0)
		*why = "its header is not damaged";
	else if ((s->generation = spool_scan_generation(s, instance)) == 0)
		*why = "its header is damaged, and it holds no record of this spool";
	if (*why != NULL) {
		spool_segment_free(&s);
		return NULL;
	}
	s->headless = s->damaged = true;
	return s;
}

void
spool_segment_free(struct spool_segment **sp)
{
	struct spool_segment *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

int
spool_segment_write_fd(int dirfd, const struct spool_segment *s)
{
	int fd = open_write(dirfd, s->number, s->large), saved;

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

bool
spool_segment_is_held(int dirfd, const struct spool_segment *s)
{
	int fd = spool_segment_write_fd(dirfd, s);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EWOULDBLOCK;
}

int
spool_segment_read(const struct spool_segment *s, uint64_t offset, void *p, size_t n)
{
	size_t done = 0;

	if (s->fd < 0) {
		errno = ENOENT;
		return -1;
	}
	while (done < n) {
		ssize_t r = pread(s->fd, (char *)p + done, n - done, (off_t)(offset + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			errno = r == 0 ? EIO : errno;
			return -1;
		}
		done += (size_t)r;
	}
	return 0;
}
