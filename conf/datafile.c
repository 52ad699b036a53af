/* datafile: files that a person writes and we act upon. See datafile.h. */
#include "conf/datafile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHUNK 65536

int
datafile_open_beneath(int dirfd, const char *path, int flags)
{
	struct open_how how = {.flags = (unsigned)flags | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	long fd;

	/* EAGAIN: a rename went on meanwhile and the kernel could not be sure; it may be sure now. */
	for (int i = 0; i < 32; i++) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return (int)fd;
}

bool
datafile_trusted(const struct stat *st, uid_t owner, struct buf *why)
{
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)) {
		buf_add_str(why, "is not a regular file");
		return false;
	}
	if (S_ISREG(st->st_mode) && st->st_nlink != 1) {
		buf_addf(why,
		    "has %lu names (hard links), expected one: copy it and remove the others",
		    (unsigned long)st->st_nlink);
		return false;
	}
	if (st->st_uid != 0 && st->st_uid != owner) {
		buf_addf(why, "belongs to uid %lu, expected root%s", (unsigned long)st->st_uid,
		    owner != 0 ? " or" : "");
		if (owner != 0)
			buf_addf(why, " uid %lu", (unsigned long)owner);
		return false;
	}
	if ((st->st_mode & 022) != 0) {
		buf_addf(why, "is writable by %s (mode %04o): chmod go-w it",
		    (st->st_mode & 002) != 0 ? "everybody" : "its group", st->st_mode & 07777);
		return false;
	}
	return true;
}

static void
stamp_of(const struct stat *st, struct datafile_stamp *stamp)
{
	*stamp = (struct datafile_stamp){.exists = true,
	    .dev = st->st_dev,
	    .ino = st->st_ino,
	    .size = st->st_size,
	    .mode = st->st_mode,
	    .uid = st->st_uid,
	    .modified = st->st_mtim,
	    .changed = st->st_ctim};
}

static int
read_all(int fd, struct buf *out, struct buf *why)
{
	for (;;) {
		ssize_t n;
		size_t room = out->max - out->len;

		if (room > CHUNK)
			room = CHUNK;
		if (room == 0) {
			char one;

			if (read(fd, &one, 1) == 0)
				return 0;
			buf_addf(why, "is larger than %zu octets", out->max);
			return -1;
		}
		if (buf_reserve(out, room) != 0)
			return -1;
		n = read(fd, out->p + out->len, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			buf_addf(why, "cannot be read: %s", strerror(errno));
			return -1;
		}
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->p[out->len] = '\0';
	}
}

enum datafile_result
datafile_read(int dirfd, const char *name, bool beneath, uid_t owner, struct buf *out,
    struct datafile_stamp *stamp, struct buf *why)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	enum datafile_result result = DATAFILE_REFUSED;
	struct datafile_stamp none = {.exists = false};
	struct stat st;
	int fd;

	buf_clear(out);
	if (stamp != NULL)
		*stamp = none;
	fd = beneath ? datafile_open_beneath(dirfd, name, flags) : openat(dirfd, name, flags);
	if (fd < 0) {
		if (errno == ENOENT)
			return DATAFILE_MISSING;
		if (errno == EXDEV)
			buf_add_str(
			    why, "leads out of the domain's directory, expected a file in it");
		else
			buf_addf(why, "cannot be opened: %s", strerror(errno));
		return DATAFILE_REFUSED;
	}
	if (fstat(fd, &st) != 0) {
		buf_addf(why, "cannot be looked at: %s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		buf_add_str(why, "is not a regular file");
	} else {
		if (stamp != NULL)
			stamp_of(&st, stamp);
		if (datafile_trusted(&st, owner, why) && read_all(fd, out, why) == 0)
			result = DATAFILE_OK;
	}
	close(fd);
	return result;
}

void
datafile_stamp(int dirfd, const char *name, struct datafile_stamp *stamp)
{
	struct stat st;
	int fd = datafile_open_beneath(dirfd, name, O_PATH);

	*stamp = (struct datafile_stamp){.exists = false};
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0)
		stamp_of(&st, stamp);
	close(fd);
}

void
datafile_stamp_path(const char *path, struct datafile_stamp *stamp)
{
	struct stat st;

	*stamp = (struct datafile_stamp){.exists = false};
	if (stat(path, &st) == 0)
		stamp_of(&st, stamp);
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool
datafile_stamp_equal(const struct datafile_stamp *a, const struct datafile_stamp *b)
{
	if (!a->exists || !b->exists)
		return a->exists == b->exists;
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mode == b->mode && a->uid == b->uid && same_time(a->modified, b->modified) &&
	       same_time(a->changed, b->changed);
}
