/*
 * fsck_owners: whose the files of the spool are and who else could read them (doc/SPOOL.md). A spool that was
 * copied back as root is one that the queue manager cannot read. See fsck.h.
 *
 * Only regular files with one link and the spool's own directories are ever changed, by descriptor: the
 * owner of the directory must not be able to have root change another file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "queue/fsck_parts.h"

static const struct {
	const char *name;
	mode_t mode;
	bool ours; /* and so are the files in it */
} directories[] = {
    {"segments", 0700, true},
    {"large", 0700, true},
    {"journal", 0700, true},
    {"corrupt", 0700, true},
    {"drop", 03733, false},
};

static void
judge(struct fsck_report *r, int fd, const char *file, const struct stat *st, mode_t mode,
    bool repair)
{
	bool owner = st->st_uid != r->uid || st->st_gid != r->gid;
	bool modes = (st->st_mode & 07777) != mode;
	struct fsck_finding *f;

	if (!owner && !modes)
		return;
	if (owner)
		f = fsck_add(r, FSCK_PROBLEM, FSCK_CURE_OWN, file,
		    "belongs to user %lu, group %lu, not to %lu, %lu",
		    (unsigned long)st->st_uid, (unsigned long)st->st_gid, (unsigned long)r->uid,
		    (unsigned long)r->gid);
	else
		f = fsck_add(r, FSCK_PROBLEM, FSCK_CURE_OWN, file, "has mode %04o, not %04o",
		    (unsigned)st->st_mode & 07777, (unsigned)mode);
	if (repair)
		f->cured = (!owner || fchown(fd, r->uid, r->gid) == 0) && fchmod(fd, mode) == 0;
}

/* What is no regular file, or has another name, is not ours to change: examining finds it. */
static void
check_file(struct fsck_report *r, int dirfd, const char *dir, const char *name, bool repair)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *file = xasprintf("%s/%s", dir, name);
	struct stat st;

	if (fd < 0 && errno == EACCES)
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_OWN, file, "cannot be opened: %s",
		    strerror(errno));
	else if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
		judge(r, fd, file, &st, 0600, repair);
	if (fd >= 0)
		close(fd);
	free(file);
}

static void
check_files(struct fsck_report *r, int fd, const char *dir, bool repair)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			check_file(r, fd, dir, e->d_name, repair);
	closedir(d);
}

void
fsck_check_owners(struct fsck_report *r, bool repair)
{
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		int fd = fsck_directory(r->spoolfd, directories[i].name);
		struct stat st;

		if (fd < 0) {
			fsck_add(r, errno == ENOENT ? FSCK_NOTE : FSCK_PROBLEM, FSCK_CURE_NONE,
			    directories[i].name, "cannot be opened: %s", strerror(errno));
			continue;
		}
		if (fstat(fd, &st) == 0)
			judge(r, fd, directories[i].name, &st, directories[i].mode, repair);
		if (directories[i].ours)
			check_files(r, fd, directories[i].name, repair);
		close(fd);
	}
}
