/*
 * watch: inotify(7) on directories. Each is watched on behalf of an object; what
 * happened since the last time is told when the owner asks (watch_drain), so that
 * a change is known before the next decision and not at some later turn of a loop.
 *
 * The number of watches is limited by fs.inotify.max_user_watches: watch_add can
 * fail, and whoever called it looks at the files themselves from then on.
 */
#ifndef CONF_WATCH_H
#define CONF_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include "common/span.h"

struct watch;

/*
 * Something happened in a watched directory: name is the entry's ("" for the directory itself), mask
 * that of inotify. object NULL: events were lost, anything may have changed. An object whose directory
 * is gone hears IN_IGNORED: its watch is no more.
 */
typedef void watch_fn(void *object, struct span name, uint32_t mask, void *arg);

/* At most max watches at once. Never NULL; without inotify (limit of instances) every watch_add fails. */
struct watch *watch_new(size_t max, watch_fn *fn, void *arg);
void watch_free(struct watch **w);

/*
 * Watches the directory of descriptor dirfd (O_PATH will do), whose path is given for systems without
 * /proc. The number of the watch, or -1: it cannot be had (errno), or the directory is watched already.
 */
int watch_add(struct watch *w, int dirfd, const char *path, void *object);

/* Ends a watch; events of it that wait are not told any more. -1 is fine. */
void watch_remove(struct watch *w, int number);

/* Tells all that happened. One system call if nothing did. */
void watch_drain(struct watch *w);

/* The descriptor that becomes readable, or -1. */
int watch_fd(const struct watch *w);

#endif
