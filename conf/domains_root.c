/*
 * domains_root: the directory that holds the domains: opened, watched, noticed to be another
 * one, and what its events mean. Part of domains, see domains.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "conf/domains_list.h"
#include "conf/domains_private.h"

static void
forget_first(struct domains *d)
{
	free(d->first);
	d->first = NULL;
}

/* In the root a name came, went, or changed its owner. */
static void
on_root_event(struct domains *d, struct span name, uint32_t mask)
{
	struct entry *e = hash_find(&d->by_name, name);
	char canonical[DOMAIN_MAX + 1];

	absent_names_clear(&d->absent);
	if (e != NULL)
		e->stale = true;
	if (mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO))
		forget_first(d);
	if ((mask & (IN_CREATE | IN_MOVED_TO)) && domains_judge_name(name, canonical) < 0)
		domains_tell(d,
		    "%s/%.*s: no mail is taken for this name, expected the canonical form %s",
		    d->root, SPAN_ARG(name), canonical);
	if (mask & (IN_DELETE_SELF | IN_MOVE_SELF))
		d->reopen = true;
	if (mask & IN_IGNORED) {
		d->root_watch = -1;
		d->reopen = true;
	}
}

void
domains_on_event(void *object, struct span name, uint32_t mask, void *arg)
{
	struct domains *d = arg;
	struct entry *e = object;

	if (object == NULL) { /* events were lost */
		absent_names_clear(&d->absent);
		TAILQ_FOREACH (e, &d->entries, link)
			e->stale = true;
		forget_first(d);
	} else if (object == d) {
		on_root_event(d, name, mask);
	} else {
		e->stale = true;
		if (mask & IN_IGNORED)
			e->watch = -1;
	}
}

/* File systems that others write to over a network, or behind the kernel's back. */
static bool
is_remote_fs(int fd)
{
	static const unsigned long types[] = {0x6969 /* NFS */, 0x517b /* SMB */,
	    0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */, 0x65735546 /* FUSE */,
	    0x01021997 /* 9P */, 0x00c36400 /* Ceph */, 0x5346414f /* AFS */,
	    0x7461636f /* OCFS2 */, 0x01161970 /* GFS2 */, 0x0bd00bd0 /* Lustre */};
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return true;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (((unsigned long)fs.f_type & 0xffffffff) == types[i])
			return true;
	}
	return false;
}

void
domains_close_root(struct domains *d)
{
	while (!TAILQ_EMPTY(&d->entries))
		domains_entry_free(d, TAILQ_FIRST(&d->entries));
	watch_remove(d->watch, d->root_watch);
	d->root_watch = -1;
	if (d->rootfd >= 0)
		close(d->rootfd);
	d->rootfd = -1;
	d->reopen = false;
	absent_names_clear(&d->absent);
	forget_first(d);
}

/* Once is enough: it is the same for all that follow. */
void
domains_say_unwatched(struct domains *d, const char *path, int error)
{
	if (d->said_unwatched || d->limits.watches == 0)
		return;
	d->said_unwatched = true;
	log_warnx("%s cannot be watched (%s; try a larger fs.inotify.max_user_watches): where "
		  "that is so "
		  "files are looked at for each question, which is slower",
	    path, strerror(error));
}

void
domains_open_root(struct domains *d)
{
	struct stat st;

	d->rootfd = open(d->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->rootfd < 0 || fstat(d->rootfd, &st) != 0)
		return;
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	d->remote_fs = is_remote_fs(d->rootfd);
	d->root_watch = d->remote_fs ? -1 : watch_add(d->watch, d->rootfd, d->root, d);
	if (d->remote_fs)
		log_info("%s is on a file system that others may write to: its files are "
			 "looked at for "
			 "each question instead of being watched",
		    d->root);
	else if (d->root_watch < 0)
		domains_say_unwatched(d, d->root, errno);
}

bool
domains_root_is_current(struct domains *d)
{
	struct stat st;

	if (d->root_looked == d->decision)
		return true;
	if (stat(d->root, &st) != 0 || st.st_dev != d->dev || st.st_ino != d->ino)
		return false;
	d->root_looked = d->decision;
	return true;
}

struct first {
	struct domains *d;
	char *name;
};

static void
take_first(const char *name, const char *problem, void *arg)
{
	struct first *f = arg;
	struct stat st;

	if (problem != NULL || (f->name != NULL && strcmp(name, f->name) >= 0) ||
	    fstatat(f->d->rootfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
		return;
	free(f->name);
	f->name = xstrdup(name);
}

enum lookup
domains_first(struct domains *d, char out[DOMAIN_MAX + 1])
{
	struct first f = {d, NULL};

	if (d->first == NULL || d->root_watch < 0) {
		forget_first(d);
		if (domains_list(d->root, take_first, &f) != 0)
			return LOOKUP_UNKNOWN;
		d->first = f.name;
	}
	if (d->first == NULL)
		return LOOKUP_NOT_FOUND;
	snprintf(out, DOMAIN_MAX + 1, "%s", d->first);
	return LOOKUP_FOUND;
}
