/* segment_load: the files of the spool as a start finds them. Part of segment_pool (segment_pool_parts.h). */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "queue/quarantine.h"
#include "queue/segment_pool_parts.h"

/* One directory entry: a segment, the rest of an unfinished creation, or something foreign. */
static void
load_entry(struct segment_pool *p, const char *name, bool large)
{
	int dirfd = large ? p->large_fd : p->segments_fd;
	size_t len = strlen(name);
	struct spool_segment *s = NULL;
	const char *why = "it is no segment", *headless = NULL;
	uint64_t number;

	if (name[0] == '.')
		return;
	if (p->on_stray == NULL && len > 4 && strcmp(name + len - 4, ".new") == 0) {
		(void)unlinkat(dirfd, name, 0);
		return;
	}
	if (spool_segment_name_parse(name, large, &number) == 0) {
		s = spool_segment_open(dirfd, name, large, p->instance, &why);
		if (s == NULL)
			s = spool_segment_open_headless(
			    dirfd, name, large, p->instance, &headless);
	}
	if (s != NULL && s->headless)
		log_warnx("file=%s has a damaged header; its records are in use", name);
	if (s == NULL && p->on_stray != NULL)
		p->on_stray(large, name, why, p->arg);
	else if (s == NULL)
		quarantine_move(dirfd, name, p->corruptfd, why);
	if (s == NULL)
		return;
	if (p->on_stray == NULL && spool_segment_is_held(dirfd, s))
		s->state = SEGMENT_ORPHAN;
	segment_pool_add(p, s);
}

static int
load_directory(struct segment_pool *p, bool large)
{
	int fd = openat(
	    large ? p->large_fd : p->segments_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL)
		load_entry(p, e->d_name, large);
	closedir(d);
	return 0;
}

int
segment_pool_load(struct segment_pool *p)
{
	if (p->segments_fd < 0 || p->large_fd < 0)
		return -1;
	return load_directory(p, false) == 0 && load_directory(p, true) == 0 ? 0 : -1;
}
