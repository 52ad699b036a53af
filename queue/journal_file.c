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

#define PAGE 4096

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

/* size octets into p; what cannot be read is left as it is. 0, or errno of the last page that could not. */
static int
read_octets(int fd, char *p, size_t size)
{
	size_t have = 0;
	int error = 0;

	while (have < size) {
		ssize_t n = pread(fd, p + have, size - have, (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0) {
			have += (size_t)n;
			continue;
		}
		error = n == 0 ? EIO : errno;
		have = n == 0 ? size : (have / PAGE + 1) * PAGE;
	}
	return error;
}

/* The whole file in memory (the caller frees), or NULL; errno and sizes into the result. */
static char *
read_file(int dirfd, const char *name, struct journal_file_result *result)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char *p = NULL;

	if (fd < 0 || fstat(fd, &st) != 0) {
		result->error = errno;
	} else if (!S_ISREG(st.st_mode)) {
		result->error = EINVAL;
	} else {
		result->size = (uint64_t)st.st_size;
		p = xcalloc(1, (size_t)st.st_size + 1);
		result->error = read_octets(fd, p, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	return p;
}

/* The records up to the first that is not whole; returns what journal_frame_next said there. */
static int
replay_frames(uint64_t instance, enum journal_file_kind kind, struct span *rest,
    journal_replay_fn *replay, void *arg, struct journal_file_result *result, bool *ended)
{
	struct span body;
	int r;

	while ((r = journal_frame_next(instance, rest, &body)) == 1) {
		if (kind == JOURNAL_FILE_CHECKPOINT && span_is(body, JOURNAL_END_RECORD)) {
			*ended = true;
			break;
		}
		if (span_is(body, JOURNAL_FLUSH_RECORD))
			continue;
		result->records++;
		if (replay != NULL)
			replay(body, arg);
	}
	return r;
}

void
journal_file_read(int dirfd, uint64_t number, enum journal_file_kind kind, uint64_t instance,
    journal_replay_fn *replay, void *arg, struct journal_file_result *result)
{
	const char *suffix = kind == JOURNAL_FILE_LOG ? ".log" : ".ckpt";
	char name[JOURNAL_NAME_SIZE], *bytes;
	struct span rest;
	bool ended = false;
	int r;

	*result = (struct journal_file_result){.state = JOURNAL_FILE_MISSING};
	bytes = read_file(dirfd, journal_file_name(number, suffix, name), result);
	if (bytes == NULL)
		return;
	rest = span_make(bytes, (size_t)result->size);
	result->state = JOURNAL_FILE_WHOLE;
	do {
		r = replay_frames(instance, kind, &rest, replay, arg, result, &ended);
		if (result->state == JOURNAL_FILE_WHOLE)
			result->damaged_at = result->size - rest.len;
		if (kind == JOURNAL_FILE_CHECKPOINT || !journal_frame_resync(instance, &rest))
			break;
		result->state = JOURNAL_FILE_DAMAGED;
	} while (rest.len > 0);
	if (kind == JOURNAL_FILE_CHECKPOINT ? !ended : result->error != 0)
		result->state = JOURNAL_FILE_DAMAGED;
	else if (result->state == JOURNAL_FILE_WHOLE && r == -1)
		result->state = JOURNAL_FILE_CUT;
	if (result->state == JOURNAL_FILE_WHOLE)
		result->damaged_at = 0;
	free(bytes);
}
