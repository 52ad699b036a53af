/*
 * journal_file: reading one file of journal/. See journal_file.h. A page that the
 * disk does not give back counts as zeros: its records fail their checksums, and
 * everything around it is used.
 */
#include "queue/journal_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "queue/journal_frame.h"

#define PAGE   4096
#define WINDOW (1U << 20)

const char *
journal_file_name(uint64_t n, const char *suffix, char out[JOURNAL_NAME_SIZE])
{
	snprintf(out, JOURNAL_NAME_SIZE, "%010" PRIu64 "%s", n, suffix);
	return out;
}

size_t
journal_file_list(int dirfd, const char *suffix, uint64_t **numbers)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	size_t n = 0;

	*numbers = NULL;
	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		char again[JOURNAL_NAME_SIZE];
		uint64_t v = strtoull(e->d_name, NULL, 10);
		size_t i;

		if (strcmp(journal_file_name(v, suffix, again), e->d_name) != 0)
			continue;
		*numbers = xreallocarray(*numbers, n + 1, sizeof **numbers);
		for (i = n++; i > 0 && (*numbers)[i - 1] > v; i--)
			(*numbers)[i] = (*numbers)[i - 1];
		(*numbers)[i] = v;
	}
	closedir(d);
	return n;
}

/* size octets at offset into p; what cannot be read is left as it is. 0, or errno of the last page that could not. */
static int
read_octets(int fd, uint64_t offset, char *p, size_t size)
{
	size_t have = 0;
	int error = 0;

	while (have < size) {
		ssize_t n = pread(fd, p + have, size - have, (off_t)(offset + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0) {
			have += (size_t)n;
			continue;
		}
		error = n == 0 ? EIO : errno;
		have = n == 0 ? size : ((offset + have) / PAGE + 1) * PAGE - offset;
	}
	return error;
}

/* The file as it is read: a window of it in memory. */
struct reading {
	uint64_t number, instance;
	enum journal_file_kind kind;
	journal_replay_fn *replay;
	void *arg;
	struct journal_file_result *result;
	int fd;
	uint64_t offset; /* of the window */
	char *window;
	size_t len, cap;
	bool ended; /* by the END of a checkpoint */
};

/* Opens it; -1 with what is wrong in the result. */
static int
begin_reading(struct reading *r, int dirfd, const char *name)
{
	struct stat st;

	r->fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (r->fd < 0 || fstat(r->fd, &st) != 0) {
		r->result->error = errno;
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		r->result->error = EINVAL;
		return -1;
	}
	r->result->size = (uint64_t)st.st_size;
	(void)posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

/* Drops the first n octets of the window and reads on behind it. False if nothing came. */
static bool
move_window(struct reading *r, size_t n)
{
	uint64_t left = r->result->size - r->offset - r->len;
	ssize_t got;

	if (n > 0)
		memmove(r->window, r->window + n, r->len - n);
	r->offset += n;
	r->len -= n;
	if (r->len == r->cap) {
		r->cap = r->cap > 0 ? r->cap * 2 : WINDOW;
		r->window = xrealloc(r->window, r->cap);
	}
	if (left == 0)
		return false;
	do {
		got = pread(r->fd, r->window + r->len,
		    left < r->cap - r->len ? (size_t)left : r->cap - r->len,
		    (off_t)(r->offset + r->len));
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		return false;
	r->len += (size_t)got;
	return true;
}

/* A record of the file's own: not to be replayed. Logs had no first record once, and began with a write. */
static bool
take_own(struct reading *r, struct span body, bool first)
{
	struct journal_log_record log;

	if (r->kind == JOURNAL_FILE_CHECKPOINT) {
		r->ended = span_is(body, JOURNAL_END_RECORD);
		return r->ended;
	}
	if (first && journal_log_record_parse(body, &log) == 0 && log.number == r->number) {
		r->result->begun = true;
		r->result->before = log.before;
	}
	if (first && span_is(body, JOURNAL_FLUSH_RECORD))
		r->result->begun = true;
	return span_is(body, JOURNAL_FLUSH_RECORD) ||
	       span_starts_with(body, JOURNAL_LOG_RECORD);
}

/* The records up to the first that is not whole; returns what journal_frame_next said there. */
static int
replay_frames(struct reading *r, struct span *rest)
{
	struct span body;
	int n = 1;

	while (!r->ended && (n = journal_frame_next(r->instance, rest, &body)) == 1) {
		bool first = r->result->used == 0;

		r->result->used += JOURNAL_FRAME_HEADER + body.len;
		if (take_own(r, body, first))
			continue;
		r->result->records++;
		if (r->replay != NULL)
			r->replay(body, r->arg);
	}
	return n;
}

/* As long as all is well, piece by piece; r->offset is then where the rest begins, and the window empty. */
static void
replay_pieces(struct reading *r)
{
	size_t done = 0;
	bool more = true;

	while (more) {
		struct span rest;
		int n;

		more = move_window(r, done);
		rest = span_make(r->window, r->len);
		n = replay_frames(r, &rest);
		done = r->len - rest.len;
		if (r->ended || (n == 0 && rest.len > 0) ||
		    rest.len >= JOURNAL_FRAME_HEADER + JOURNAL_RECORD_MAX)
			break;
	}
	r->offset += done;
	r->result->end = r->offset;
	free(r->window);
	r->window = NULL;
	r->len = 0;
}

/* What follows the records that are whole: nothing, the zeros of what was allocated ahead, a cut write, damage. */
static void
replay_rest(struct reading *r)
{
	struct journal_file_result *result = r->result;
	struct span rest;
	int n;

	r->len = (size_t)(result->size - r->offset);
	r->window = xcalloc(1, r->len + 1);
	result->error = read_octets(r->fd, r->offset, r->window, r->len);
	rest = span_make(r->window, r->len);
	do {
		n = replay_frames(r, &rest);
		if (result->state == JOURNAL_FILE_WHOLE)
			result->end = result->size - rest.len;
		if (r->kind == JOURNAL_FILE_CHECKPOINT ||
		    !journal_frame_resync(r->instance, &rest))
			break;
		result->state = JOURNAL_FILE_DAMAGED;
	} while (rest.len > 0);
	if (r->kind == JOURNAL_FILE_CHECKPOINT ? !r->ended : result->error != 0)
		result->state = JOURNAL_FILE_DAMAGED;
	else if (result->state == JOURNAL_FILE_WHOLE && n == -1)
		result->state = JOURNAL_FILE_CUT;
	/* Its first record was there before any other. */
	if (r->kind == JOURNAL_FILE_LOG && !result->begun && result->used > 0)
		result->state = JOURNAL_FILE_DAMAGED;
	free(r->window);
}

void
journal_file_read(int dirfd, uint64_t number, enum journal_file_kind kind, uint64_t instance,
    journal_replay_fn *replay, void *arg, struct journal_file_result *result)
{
	const char *suffix = kind == JOURNAL_FILE_LOG ? ".log" : ".ckpt";
	char name[JOURNAL_NAME_SIZE];
	struct reading r = {.number = number,
	    .instance = instance,
	    .kind = kind,
	    .replay = replay,
	    .arg = arg,
	    .result = result};

	*result = (struct journal_file_result){.state = JOURNAL_FILE_MISSING};
	if (begin_reading(&r, dirfd, journal_file_name(number, suffix, name)) == 0) {
		result->state = JOURNAL_FILE_WHOLE;
		replay_pieces(&r);
		if (!r.ended)
			replay_rest(&r);
	}
	if (r.fd >= 0)
		close(r.fd);
}
