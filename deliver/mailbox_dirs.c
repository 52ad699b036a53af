/*
 * mailbox_dirs: opens and makes the directories of a Maildir. See
 * mailbox_dirs.h.
 *
 * The common case is three openat2 of whole paths. Only if one is missing the
 * path is walked step by step, making what is not there; the parents are
 * flushed together at the end, so that a new mailbox costs one commit.
 */
#include "deliver/mailbox_dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"

void
mailbox_failed(struct verdict *v, int error, const char *what, const char *path)
{
	const char *status = "4.3.0", *hint = "";
	int code = 451;

	switch (error) {
	case ENOSPC:
		status = "4.3.1", code = 452;
		hint = "; free space or inodes on its file system";
		break;
	case EDQUOT:
		status = "4.2.2", code = 452;
		hint = "; the owner is over the disk quota";
		break;
	case EACCES:
	case EPERM:
		hint = "; check who owns it and the modes of the directories above";
		break;
	case ELOOP:
		hint = "; symbolic links are not followed below a domain's directory";
		break;
	case EXDEV:
		hint = "; nothing may lead out of the domain's directory, tmp and new belong "
		       "on one file system";
		break;
	case ENOTDIR:
		hint = "; move aside what stands there";
		break;
	case EROFS:
		hint = "; its file system is mounted read-only";
		break;
	case EMFILE:
	case ENFILE:
		hint = "; raise the limit of open files";
		break;
	default:
		break;
	}
	verdict_set(v, VERDICT_TEMPORARY, code, status, "%s %s: %s%s", what, path,
	    strerror(error), hint);
}

/* How every path below the domain's directory is opened. */
static int
open_beneath(int at, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_DIRECTORY | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int fd;

	do {
		fd = (int)syscall(SYS_openat2, at, path, &how, sizeof how);
	} while (fd < 0 && errno == EAGAIN); /* a rename ran beside the look-up of ".." */
	return fd;
}

/* Something was made in parent: it must be flushed, though perhaps we may not open it for that. */
static int
mark_dirty(struct mailbox_dirs *d, int parent)
{
	int fd;

	if (d->ndirty == MAILBOX_DIRS_DIRTY_MAX) {
		d->dirty_all = true;
		return 0;
	}
	fd = open_beneath(parent, ".", O_RDONLY);
	if (fd >= 0)
		d->dirty[d->ndirty++] = fd;
	else if (errno == EACCES)
		d->dirty_all = true;
	else
		return -1;
	return 0;
}

/* Opens one component for looking further, making it if it is missing. */
static int
step(struct mailbox_dirs *d, int parent, const char *name)
{
	int fd = open_beneath(parent, name, O_PATH);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
		return -1;
	if (mark_dirty(d, parent) != 0)
		return -1;
	return open_beneath(parent, name, O_PATH);
}

static int
step_span(struct mailbox_dirs *d, int parent, struct span component)
{
	char name[NAME_MAX + 1];

	if (component.len > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (span_is(component, "..")) {
		errno = EXDEV;
		return -1;
	}
	memcpy(name, component.p, component.len);
	name[component.len] = '\0';
	return step(d, parent, name);
}

/* Walks path from the domain's directory, making what is missing. */
static int
walk(struct mailbox_dirs *d, int domain, const char *path)
{
	struct span rest = span_str(path);
	int at = domain, fd;

	while (rest.p != NULL) {
		struct span component = span_cut(&rest, '/');
		int next, error;

		if (component.len == 0 || span_is(component, "."))
			continue;
		next = step_span(d, at, component);
		error = errno;
		if (at != domain)
			close(at);
		errno = error;
		if (next < 0)
			return -1;
		at = next;
	}
	fd = open_beneath(at, ".", O_RDONLY);
	if (at != domain)
		close(at);
	return fd;
}

/* Opens one of tmp, new, cur. */
static int
open_leaf(struct mailbox_dirs *d, int domain, const char *where[3], const char *leaf,
    struct verdict *v)
{
	char path[PATH_MAX], whole[PATH_MAX * 2];
	int n, fd;

	n = snprintf(path, sizeof path, "%s/%s/%s", where[1], where[2], leaf);
	snprintf(whole, sizeof whole, "%s/%s", where[0], path);
	if (n < 0 || (size_t)n >= sizeof path) {
		mailbox_failed(v, ENAMETOOLONG, "cannot open", whole);
		return -1;
	}
	fd = open_beneath(domain, path, O_RDONLY);
	if (fd < 0 && errno == ENOENT) {
		fd = walk(d, domain, path);
		if (fd >= 0)
			log_debug("made %s", whole);
	}
	if (fd < 0)
		mailbox_failed(v, errno, "cannot open or make", whole);
	return fd;
}

int
mailbox_dirs_open(struct mailbox_dirs *d, const char *directory, const char *home,
    const char *maildir, struct verdict *v)
{
	const char *where[3] = {
	    directory, home[0] != '\0' ? home : ".", maildir[0] != '\0' ? maildir : "."};
	int domain = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*d = (struct mailbox_dirs){.tmp = -1, .new = -1, .cur = -1};
	if (domain < 0) {
		mailbox_failed(v, errno, "cannot open the domain's directory", directory);
		return -1;
	}
	d->tmp = open_leaf(d, domain, where, "tmp", v);
	if (d->tmp >= 0)
		d->new = open_leaf(d, domain, where, "new", v);
	if (d->new >= 0)
		d->cur = open_leaf(d, domain, where, "cur", v);
	close(domain);
	if (d->cur >= 0)
		return 0;
	mailbox_dirs_close(d);
	return -1;
}

int
mailbox_dirs_flush(struct mailbox_dirs *d)
{
	int r = fsync(d->new);

	for (size_t i = 0; i < d->ndirty; i++)
		if (fsync(d->dirty[i]) != 0)
			r = -1;
	if (d->dirty_all && syncfs(d->new) != 0)
		r = -1;
	return r;
}

void
mailbox_dirs_close(struct mailbox_dirs *d)
{
	int *fds[] = {&d->tmp, &d->new, &d->cur};

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	for (size_t i = 0; i < d->ndirty; i++)
		close(d->dirty[i]);
	d->ndirty = 0;
}
