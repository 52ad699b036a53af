/* watch: inotify on directories. See watch.h. */
#include "conf/watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/idmap.h"
#include "common/log.h"
#include "common/xalloc.h"

/*
 * A file counts as changed when who wrote it has closed it, so that half a file is not read;
 * CREATE and DELETE come with link and unlink, ATTRIB with chown and chmod.
 */
#define EVENTS                                                                                 \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |    \
	    IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct watch {
	int fd;
	struct idmap objects; /* by number of the watch */
	size_t max;
	watch_fn *fn;
	void *arg;
};

struct watch *
watch_new(size_t max, watch_fn *fn, void *arg)
{
	struct watch *w = xcalloc(1, sizeof *w);

	w->max = max;
	w->fn = fn;
	w->arg = arg;
	idmap_init(&w->objects);
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0)
		log_warn("inotify cannot be had (try a larger fs.inotify.max_user_instances)");
	return w;
}

void
watch_free(struct watch **wp)
{
	struct watch *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	if (w->fd >= 0)
		close(w->fd);
	idmap_release(&w->objects);
	free(w);
}

int
watch_add(struct watch *w, int dirfd, const char *path, void *object)
{
	char link[40];
	int number;

	if (w->fd < 0) {
		errno = EMFILE;
		return -1;
	}
	if (idmap_count(&w->objects) >= w->max) {
		errno = ENOSPC;
		return -1;
	}
	snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
	number = inotify_add_watch(w->fd, link, EVENTS);
	if (number < 0 && errno == ENOENT)
		number = inotify_add_watch(w->fd, path, EVENTS);
	if (number < 0)
		return -1;
	if (idmap_insert(&w->objects, (uint64_t)number, object) != 0) {
		errno = EEXIST;
		return -1;
	}
	return number;
}

void
watch_remove(struct watch *w, int number)
{
	if (number < 0 || idmap_remove(&w->objects, (uint64_t)number) == NULL)
		return;
	inotify_rm_watch(w->fd, number);
}

static void
tell(struct watch *w, const struct inotify_event *e)
{
	void *object;

	if (e->mask & IN_Q_OVERFLOW) {
		w->fn(NULL, span_str(""), e->mask, w->arg);
		return;
	}
	object = idmap_find(&w->objects, (uint64_t)e->wd);
	if (object == NULL)
		return;
	if (e->mask & IN_IGNORED)
		idmap_remove(&w->objects, (uint64_t)e->wd);
	w->fn(object, span_str(e->len > 0 ? e->name : ""), e->mask, w->arg);
}

void
watch_drain(struct watch *w)
{
	char events[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while (w->fd >= 0 && (n = read(w->fd, events, sizeof events)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return; /* EAGAIN: that was all */
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e =
			    (const struct inotify_event *)(events + at);

			at += (ssize_t)(sizeof *e + e->len);
			tell(w, e);
		}
	}
}

int
watch_fd(const struct watch *w)
{
	return w->fd;
}
