/*
 * quarantine: setting aside what cannot be read. See quarantine.h. What is damaged is often
 * found again at the next start, on a disk that may be full: the same octets are
 * set aside once, and a copy that did not succeed leaves nothing behind.
 */
#include "queue/quarantine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define NAME_SIZE 128
#define PAGE	  4096
#define BLOCK	  (16 * PAGE)

/* A name in the quarantine that is not taken: the name with the date and a count. */
static int
free_name(int corruptfd, const char *name, char out[NAME_SIZE])
{
	char date[CLOCK_DATE_SIZE];
	struct stat st;

	clock_format_iso(clock_wall(), date);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(out, NAME_SIZE, "%.60s.%.20s.%u", name, date, i);
		if (fstatat(corruptfd, out, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
			return 0;
	}
	errno = EEXIST;
	return -1;
}

static void
write_reason(int corruptfd, const char *kept, const char *reason)
{
	char name[NAME_SIZE + 8];
	int fd;

	snprintf(name, sizeof name, "%s.reason", kept);
	fd =
	    openat(corruptfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || dprintf(fd, "%s\n", reason) < 0 || fsync(fd) != 0)
		log_warn("corrupt/%s", name);
	if (fd >= 0)
		close(fd);
}

/* Up to n octets at offset; what the disk does not give back is zeros, page by page. 0 at the end of the file. */
static ssize_t
read_block(int fd, char *p, size_t n, off_t offset)
{
	ssize_t r;

	do {
		r = pread(fd, p, n, offset);
	} while (r < 0 && errno == EINTR);
	if (r >= 0)
		return r;
	memset(p, 0, n);
	for (size_t at = 0; at < n; at += PAGE) {
		r = pread(fd, p + at, PAGE, offset + (off_t)at);
		if (r >= 0 && r < PAGE)
			return (ssize_t)at + r;
	}
	return (ssize_t)n;
}

static bool
copy_octets(int in, int out)
{
	char block[BLOCK];
	off_t at = 0;
	ssize_t n;

	while ((n = read_block(in, block, sizeof block, at)) > 0) {
		if (pwrite(out, block, (size_t)n, at) != n)
			return false;
		at += n;
	}
	return fsync(out) == 0;
}

static bool
copy_file(int dirfd, const char *name, int corruptfd, const char *kept)
{
	int in = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), saved;
	int out =
	    openat(corruptfd, kept, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok = in >= 0 && out >= 0 && copy_octets(in, out);

	saved = errno;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	if (!ok && out >= 0)
		(void)unlinkat(corruptfd, kept, 0);
	errno = saved;
	return ok;
}

static bool
same_octets(int a, int b)
{
	char pa[BLOCK / 2], pb[BLOCK / 2];
	off_t at = 0;
	ssize_t na, nb;

	do {
		na = read_block(a, pa, sizeof pa, at);
		nb = read_block(b, pb, sizeof pb, at);
		at += na;
	} while (na > 0 && na == nb && memcmp(pa, pb, (size_t)na) == 0);
	return na == 0 && nb == 0;
}

static bool
same_file(int dirfd, const char *name, int corruptfd, const char *kept)
{
	int a = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int b = openat(corruptfd, kept, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat sa, sb;
	bool same = a >= 0 && b >= 0 && fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
		    sa.st_size == sb.st_size && same_octets(a, b);

	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	return same;
}

/* Are these octets in the quarantine already, as a copy of this name? */
static bool
is_kept(int dirfd, const char *name, int corruptfd)
{
	int fd = openat(corruptfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	size_t len = strlen(name);
	struct dirent *e;
	bool kept = false;

	if (d == NULL)
		return false;
	while (!kept && (e = readdir(d)) != NULL)
		kept = strncmp(e->d_name, name, len) == 0 && e->d_name[len] == '.' &&
		       same_file(dirfd, name, corruptfd, e->d_name);
	closedir(d);
	return kept;
}

static int
set_aside(int dirfd, const char *name, int corruptfd, const char *reason, bool move)
{
	char kept[NAME_SIZE];
	bool ok = free_name(corruptfd, name, kept) == 0;

	if (ok)
		ok = move ? renameat(dirfd, name, corruptfd, kept) == 0
			  : copy_file(dirfd, name, corruptfd, kept);
	if (!ok) {
		log_warn("file=%s cannot be set aside in corrupt/ (%s)", name, reason);
		return -1;
	}
	write_reason(corruptfd, kept, reason);
	(void)fsync(corruptfd);
	if (move)
		(void)fsync(dirfd);
	log_warnx("file=%s set aside as corrupt/%s: %s", name, kept, reason);
	return 0;
}

int
quarantine_move(int dirfd, const char *name, int corruptfd, const char *reason)
{
	return set_aside(dirfd, name, corruptfd, reason, true);
}

int
quarantine_copy(int dirfd, const char *name, int corruptfd, const char *reason)
{
	if (is_kept(dirfd, name, corruptfd)) {
		log_warnx("file=%s is in corrupt/ already: %s", name, reason);
		return 0;
	}
	return set_aside(dirfd, name, corruptfd, reason, false);
}
