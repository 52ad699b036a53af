/*
 * admin_passwd: a domain's passwd file changed by a program. Whoever reads it at any moment, and
 * after any crash, finds the old file or the new one, whole.
 */
#include "conf/admin_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "conf/datafile.h"

#define LOCK_TRIES    100
#define LOCK_PAUSE_NS 50000000

static int
fail(struct buf *why, const char *path, const char *what)
{
	buf_addf(why, "%s: %s: %s", path, what, strerror(errno));
	return -1;
}

void
admin_say_no_user(const char *address, struct buf *why)
{
	buf_addf(why, "there is no user %s, add it: postrider user add %s", address, address);
}

/* Others change the file as we do; nobody holds the lock for long. */
static int
lock(int fd)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		nanosleep(&(struct timespec){0, LOCK_PAUSE_NS}, NULL);
	}
	errno = EWOULDBLOCK;
	return -1;
}

int
admin_etc_open(struct admin_etc *e, const char *root, const char *name, struct buf *why)
{
	struct stat st;
	int dirfd;

	*e = (struct admin_etc){.path = xasprintf("%s/%s", root, name), .fd = -1};
	dirfd = open(e->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dirfd < 0 || fstat(dirfd, &st) != 0) {
		fail(why, e->path, "cannot be opened");
		if (dirfd >= 0)
			close(dirfd);
		return -1;
	}
	e->uid = st.st_uid;
	e->gid = st.st_gid;
	e->fd = datafile_open_beneath(dirfd, "etc", O_RDONLY | O_DIRECTORY);
	close(dirfd);
	if (e->fd < 0 || fstat(e->fd, &st) != 0)
		return fail(why, e->path, "etc cannot be opened");
	buf_addf(why, "%s/etc ", e->path);
	if (!datafile_trusted(&st, e->uid, why))
		return -1;
	buf_clear(why);
	if (lock(e->fd) != 0)
		return fail(why, e->path, "etc is being changed by somebody else");
	return 0;
}

void
admin_etc_release(struct admin_etc *e)
{
	if (e->fd >= 0)
		close(e->fd);
	free(e->path);
	*e = (struct admin_etc){.fd = -1};
}

int
admin_passwd_read(const struct admin_etc *e, struct buf *text, struct buf *why)
{
	struct buf reason;
	struct stat st;
	enum datafile_result r;

	if (fstatat(e->fd, "passwd", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)) {
		buf_addf(why,
		    "%s/etc/passwd is a symbolic link, expected a file: change what it leads "
		    "to",
		    e->path);
		return -1;
	}
	buf_init(&reason, 1024);
	r = datafile_read(e->fd, "passwd", true, e->uid, text, NULL, &reason);
	if (r == DATAFILE_REFUSED)
		buf_addf(why, "%s/etc/passwd %s", e->path, buf_str(&reason));
	buf_release(&reason);
	return r == DATAFILE_REFUSED ? -1 : 0;
}

static int
write_all(int fd, struct span text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.p, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text = span_skip(text, (size_t)n);
	}
	return 0;
}

/* Fills the new file, its owner and mode last: until then it is ours alone. */
static int
fill(const struct admin_etc *e, int fd, struct span text)
{
	struct stat st;
	uid_t uid = e->uid;
	gid_t gid = e->gid;
	mode_t mode = 0600;

	if (fstatat(e->fd, "passwd", &st, AT_SYMLINK_NOFOLLOW) == 0) {
		uid = st.st_uid;
		gid = st.st_gid;
		mode = st.st_mode & 0755;
	}
	if (write_all(fd, text) != 0)
		return -1;
	if ((geteuid() != uid || getegid() != gid) && fchown(fd, uid, gid) != 0)
		return -1;
	return fchmod(fd, mode) != 0 || fsync(fd) != 0 ? -1 : 0;
}

int
admin_passwd_write(const struct admin_etc *e, struct span text, struct buf *why)
{
	char name[64];
	int fd, r = -1;

	snprintf(name, sizeof name, ".passwd.%ld.new", (long)getpid());
	fd = openat(e->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST) {
		/* Left by one that had our number and was cut off. */
		unlinkat(e->fd, name, 0);
		fd = openat(
		    e->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (fd < 0)
		return fail(why, e->path, "cannot write in etc");
	if (fill(e, fd, text) == 0 && renameat(e->fd, name, e->fd, "passwd") == 0 &&
	    fsync(e->fd) == 0)
		r = 0;
	else
		fail(why, e->path, "etc/passwd cannot be replaced");
	close(fd);
	if (r != 0)
		unlinkat(e->fd, name, 0);
	return r;
}
