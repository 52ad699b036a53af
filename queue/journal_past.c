/* journal_past: what earlier lives left in journal/. See journal_past.h. */
#include "queue/journal_past.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "queue/journal_frame.h"
#include "queue/quarantine.h"

const char *
journal_file_name(uint64_t n, const char *suffix, char out[JOURNAL_NAME_SIZE])
{
	snprintf(out, JOURNAL_NAME_SIZE, "%010" PRIu64 "%s", n, suffix);
	return out;
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

/* Calls replay for each frame; false if the file is damaged. want_end: a checkpoint, which must end with END. */
static bool
replay_bytes(const struct journal_past *p, struct span bytes, bool want_end,
    journal_replay_fn *replay, void *arg)
{
	struct span body;

	while (journal_frame_next(p->instance, &bytes, &body) == 1) {
		if (want_end && span_is(body, JOURNAL_END_RECORD))
			return true;
		if (replay != NULL && !span_is(body, JOURNAL_FLUSH_RECORD))
			replay(body, arg);
	}
	return !want_end && journal_frame_rest_is_cut(p->instance, bytes);
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

static bool
replay_file(const struct journal_past *p, uint64_t number, const char *suffix, bool want_end,
    journal_replay_fn *replay, void *arg)
{
	char name[JOURNAL_NAME_SIZE];
	size_t len = 0;
	char *bytes = read_file(p->dirfd, journal_file_name(number, suffix, name), &len);
	bool whole =
	    bytes != NULL && replay_bytes(p, span_make(bytes, len), want_end, replay, arg);

	free(bytes);
	return whole;
}

/* The newest whole checkpoint is replayed; returns its number, 0 if there is none. */
static uint64_t
replay_checkpoint(const struct journal_past *p, journal_replay_fn *replay, void *arg)
{
	uint64_t *numbers, found = 0;
	size_t n = list_numbers(p->dirfd, ".ckpt", &numbers);
	char name[JOURNAL_NAME_SIZE];

	while (n > 0 && found == 0) {
		uint64_t v = numbers[--n];

		if (replay_file(p, v, ".ckpt", true, NULL, NULL)) {
			(void)replay_file(p, v, ".ckpt", true, replay, arg);
			found = v;
		} else {
			quarantine_move(p->dirfd, journal_file_name(v, ".ckpt", name),
			    p->corruptfd,
			    "this checkpoint is damaged; an older one and the logs were used");
		}
	}
	free(numbers);
	return found;
}

uint64_t
journal_past_replay(const struct journal_past *p, journal_replay_fn *replay, void *arg)
{
	uint64_t from = replay_checkpoint(p, replay, arg), last = from, *numbers;
	size_t n = list_numbers(p->dirfd, ".log", &numbers);
	char name[JOURNAL_NAME_SIZE];

	for (size_t i = 0; i < n; i++) {
		if (numbers[i] > last)
			last = numbers[i];
		if (numbers[i] >= from &&
		    !replay_file(p, numbers[i], ".log", false, replay, arg))
			quarantine_copy(p->dirfd, journal_file_name(numbers[i], ".log", name),
			    p->corruptfd,
			    "records in the middle of this log are damaged; what follows them "
			    "was not "
			    "used: some mail may be delivered twice, none is lost");
	}
	free(numbers);
	return last;
}

void
journal_past_release_tail(const struct journal_past *p, uint64_t number)
{
	char name[JOURNAL_NAME_SIZE];
	size_t len = 0;
	char *bytes = read_file(p->dirfd, journal_file_name(number, ".log", name), &len);
	size_t end = len;
	int fd = bytes != NULL ? openat(p->dirfd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC) : -1;

	while (bytes != NULL && end > 0 && bytes[end - 1] == '\0')
		end--;
	if (fd >= 0 && end < len && ftruncate(fd, (off_t)end) != 0)
		log_warn("journal: log %" PRIu64, number);
	if (fd >= 0)
		close(fd);
	free(bytes);
}

void
journal_past_remove_before(const struct journal_past *p, uint64_t number)
{
	static const char *const suffixes[] = {".log", ".ckpt", ".ckpt.new"};

	for (size_t s = 0; s < sizeof suffixes / sizeof *suffixes; s++) {
		uint64_t *numbers;
		size_t n = list_numbers(p->dirfd, suffixes[s], &numbers);
		char name[JOURNAL_NAME_SIZE];

		for (size_t i = 0; i < n; i++)
			if (numbers[i] < number)
				(void)unlinkat(p->dirfd,
				    journal_file_name(numbers[i], suffixes[s], name), 0);
		free(numbers);
	}
}
