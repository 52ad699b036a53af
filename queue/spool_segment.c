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

#include "common/crc32c.h"
#include "common/limits.h"
#include "common/xalloc.h"

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

static int
allocate(int fd, uint64_t size)
{
	static const char zeros[65536];

	if (fallocate(fd, 0, 0, (off_t)size) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
	for (uint64_t at = 0; at < size; at += sizeof zeros)
		if (pwrite(fd, zeros, sizeof zeros, (off_t)at) != (ssize_t)sizeof zeros)
			return -1;
	return ftruncate(fd, (off_t)size);
}

static int
fill_new_file(int dirfd, int fd, const char *temporary, const char *name,
    const struct spool_segment_header *h, bool large)
{
	if (!large && allocate(fd, h->size) != 0)
		return -1;
	if (large && h->size > 0 &&
	    fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)h->size) != 0 && errno != EOPNOTSUPP &&
	    errno != ENOSYS)
		return -1;
	if (write_header(fd, h) != 0 || fsync(fd) != 0)
		return -1;
	if (renameat(dirfd, temporary, dirfd, name) != 0)
		return -1;
	return fsync(dirfd);
}

int
spool_segment_create(int dirfd, const struct spool_segment_header *h, bool large)
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
	r = fill_new_file(dirfd, fd, temporary, name, h, large);
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
spool_segment_renew(int dirfd, const struct spool_segment_header *h)
{
	int fd = open_write(dirfd, h->number, false), r, saved;

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

struct spool_segment *
spool_segment_open(int dirfd, const char *name, bool large, uint64_t instance, const char **why)
{
	struct spool_segment_header h;
	struct spool_segment *s;
	char page[SPOOL_PAGE];
	struct stat st;
	int fd;

	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		*why = strerror(errno);
		return NULL;
	}
	*why = check_file(fd, &st);
	if (*why == NULL && pread(fd, page, sizeof page, 0) != (ssize_t)sizeof page)
		*why = "its header cannot be read";
	if (*why == NULL && spool_segment_header_parse(span_make(page, sizeof page), &h) != 0)
		*why = "its header is damaged";
	if (*why == NULL && h.instance != instance)
		*why = "it belongs to another spool";
	if (*why != NULL) {
		close(fd);
		return NULL;
	}
	s = xcalloc(1, sizeof *s);
	s->number = h.number;
	s->generation = h.generation;
	s->size = (uint64_t)st.st_size;
	s->accounted = SPOOL_PAGE;
	s->state = SEGMENT_SEALED;
	s->fd = fd;
	s->large = large;
	return s;
}

void
spool_segment_free(struct spool_segment **sp)
{
	struct spool_segment *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
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

/* One scan over a segment: a window of the file in memory, and where it stands. */
struct scan {
	struct spool_segment *s;
	uint64_t instance, to;
	char *window;
	uint64_t window_at;
	size_t window_len;
	uint64_t last_batch;
	uint64_t *broken; /* batches of broken records seen */
	size_t nbroken;
};

#define WINDOW_SIZE (1U << 20)

/* n octets at offset, from the window or read into it; NULL if the file does not have them. */
static const char *
peek(struct scan *sc, uint64_t offset, size_t n)
{
	size_t want = n > WINDOW_SIZE ? n : WINDOW_SIZE;
	ssize_t r;

	if (offset + n > sc->to)
		return NULL;
	if (sc->window != NULL && offset >= sc->window_at &&
	    offset + n <= sc->window_at + sc->window_len)
		return sc->window + (offset - sc->window_at);
	if (want > sc->to - offset)
		want = (size_t)(sc->to - offset);
	sc->window = xrealloc(sc->window, want);
	r = pread(sc->s->fd, sc->window, want, (off_t)offset);
	sc->window_at = offset;
	sc->window_len = r > 0 ? (size_t)r : 0;
	return sc->window_len >= n ? sc->window : NULL;
}

static void
note_broken(struct scan *sc, uint64_t batch)
{
	sc->broken = xreallocarray(sc->broken, sc->nbroken + 1, sizeof *sc->broken);
	sc->broken[sc->nbroken++] = batch;
}

enum found {
	FOUND_NOTHING, /* no record header of this generation */
	FOUND_BROKEN,  /* a header, but what it describes is not whole */
	FOUND_RECORD,
};

static bool
content_intact(struct scan *sc, uint64_t at, const struct spool_record *r)
{
	uint64_t left = r->content_len;
	uint32_t crc = 0;

	while (left > 0) {
		size_t n = left < WINDOW_SIZE ? (size_t)left : WINDOW_SIZE;
		const char *p = peek(sc, at, n);

		if (p == NULL)
			return false;
		crc = crc32c(crc, p, n);
		at += n;
		left -= n;
	}
	return crc == r->content_crc;
}

/* What stands at offset; content is checked too when the scan follows a crash. */
static enum found
look_at(struct scan *sc, uint64_t offset, bool check_content, struct spool_record *r,
    struct span *envelope)
{
	const char *p = peek(sc, offset, SPOOL_RECORD_SIZE);
	uint64_t body = offset + SPOOL_RECORD_SIZE;

	if (p == NULL || spool_record_parse(span_make(p, SPOOL_RECORD_SIZE), r) != 0 ||
	    r->generation != sc->s->generation || r->instance != sc->instance)
		return FOUND_NOTHING;
	if (r->content_len > sc->to || body + r->envelope_len + r->content_len > sc->to)
		return FOUND_BROKEN;
	if (check_content && !content_intact(sc, body + r->envelope_len, r))
		return FOUND_BROKEN;
	p = peek(sc, body, r->envelope_len);
	if (p == NULL || crc32c(0, p, r->envelope_len) != r->envelope_crc)
		return FOUND_BROKEN;
	*envelope = span_make(p, r->envelope_len);
	return FOUND_RECORD;
}

void
spool_segment_scan(struct spool_segment *s, uint64_t instance, uint64_t from, uint64_t to,
    bool past_gaps, spool_scan_fn *fn, void *arg, struct spool_scan_result *result)
{
	struct scan sc = {.s = s, .instance = instance, .to = to < s->size ? to : s->size};
	uint64_t at = from;

	*result = (struct spool_scan_result){.end = from};
	while (at + SPOOL_RECORD_SIZE <= sc.to) {
		struct spool_record r;
		struct span envelope;
		enum found found = look_at(&sc, at, past_gaps, &r, &envelope);

		if (found == FOUND_RECORD) {
			fn(s, at, &r, envelope, arg);
			at += spool_record_extent(&r);
			result->end = spool_page_align(at);
			if (r.batch > sc.last_batch)
				sc.last_batch = r.batch;
			continue;
		}
		if (found == FOUND_BROKEN)
			note_broken(&sc, r.batch);
		if (past_gaps)
			at += SPOOL_ALIGN;
		else if (found == FOUND_NOTHING && at % SPOOL_PAGE != 0)
			at = spool_page_align(at); /* the padding of a batch */
		else
			break;
	}
	for (size_t i = 0; i < sc.nbroken; i++)
		result->damaged += sc.broken[i] < sc.last_batch;
	free(sc.broken);
	free(sc.window);
}
