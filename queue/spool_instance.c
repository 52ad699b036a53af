/* spool_instance: which spool this is. See spool_instance.h. */
#include "queue/spool_instance.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "queue/quarantine.h"
#include "queue/spool_segment.h"

#define TEXT_SIZE 17 /* 16 hex digits and LF */

int
spool_instance_read(int journalfd, uint64_t *instance)
{
	char text[TEXT_SIZE + 2] = {0}, again[TEXT_SIZE + 1];
	int fd = openat(journalfd, "instance", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n < 0)
		return -1;
	*instance = strtoull(text, NULL, 16);
	snprintf(again, sizeof again, "%016" PRIx64 "\n", *instance);
	if (*instance == 0 || strcmp(text, again) != 0) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

/* Instances seen, and how often. */
struct votes {
	uint64_t *instance;
	unsigned *count;
	size_t n;
};

static void
vote(struct votes *v, uint64_t instance)
{
	size_t i = 0;

	while (i < v->n && v->instance[i] != instance)
		i++;
	if (i == v->n) {
		v->n++;
		v->instance = xreallocarray(v->instance, v->n, sizeof *v->instance);
		v->count = xreallocarray(v->count, v->n, sizeof *v->count);
		v->instance[i] = instance;
		v->count[i] = 0;
	}
	v->count[i]++;
}

static void
ask_file(struct votes *v, int dirfd, const char *name)
{
	char page[SPOOL_PAGE];
	struct spool_segment_header h;
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	if (pread(fd, page, sizeof page, 0) == (ssize_t)sizeof page &&
	    spool_segment_header_parse(span_make(page, sizeof page), &h) == 0)
		vote(v, h.instance);
	close(fd);
}

static void
ask_directory(struct votes *v, int spoolfd, const char *dir, bool large)
{
	int fd = openat(spoolfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	uint64_t number;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (spool_segment_name_parse(e->d_name, large, &number) == 0)
			ask_file(v, fd, e->d_name);
	closedir(d);
}

uint64_t
spool_instance_of_segments(int spoolfd)
{
	struct votes v = {NULL, NULL, 0};
	uint64_t found = 0;
	unsigned most = 0;

	ask_directory(&v, spoolfd, "segments", false);
	ask_directory(&v, spoolfd, "large", true);
	for (size_t i = 0; i < v.n; i++)
		if (v.count[i] > most) {
			most = v.count[i];
			found = v.instance[i];
		}
	free(v.instance);
	free(v.count);
	return found;
}

static int
write_instance(int journalfd, uint64_t instance)
{
	int fd, r = -1, saved;

	(void)unlinkat(journalfd, "instance.new", 0);
	fd = openat(journalfd, "instance.new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (dprintf(fd, "%016" PRIx64 "\n", instance) == TEXT_SIZE && fsync(fd) == 0 &&
	    renameat(journalfd, "instance.new", journalfd, "instance") == 0 &&
	    fsync(journalfd) == 0)
		r = 0;
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

int
spool_instance_obtain(int spoolfd, int journalfd, int corruptfd, uint64_t *instance)
{
	if (spool_instance_read(journalfd, instance) == 0)
		return 0;
	if (errno != ENOENT && errno != EINVAL && errno != EIO)
		return -1;
	if (errno != ENOENT &&
	    quarantine_move(journalfd, "instance", corruptfd,
		"it does not say which spool this is; the segments were asked") != 0)
		return -1;
	*instance = spool_instance_of_segments(spoolfd);
	if (*instance != 0)
		log_warnx("spool: journal/instance was lost; by its segments it is %016" PRIx64,
		    *instance);
	while (*instance == 0)
		if (getrandom(instance, sizeof *instance, 0) != sizeof *instance)
			return -1;
	return write_instance(journalfd, *instance);
}
