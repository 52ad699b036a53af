/* quarantine: setting aside what cannot be read. See quarantine.h. */
#include "queue/quarantine.h"

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

/* A name in the quarantine that is not taken: the name with the date and a count. */
static void
free_name(int corruptfd, const char *name, char out[NAME_SIZE])
{
	char date[CLOCK_DATE_SIZE];
	struct stat st;

	clock_format_iso(clock_wall(), date);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(out, NAME_SIZE, "%.60s.%.20s.%u", name, date, i);
		if (fstatat(corruptfd, out, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
			return;
	}
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

static bool
copy_bytes(int in, int out)
{
	char block[65536];
	ssize_t n;

	while ((n = read(in, block, sizeof block)) > 0)
		if (write(out, block, (size_t)n) != n)
			return false;
	return n == 0 && fsync(out) == 0;
}

static bool
copy_file(int dirfd, const char *name, int corruptfd, const char *kept)
{
	int in = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int out =
	    openat(corruptfd, kept, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok = in >= 0 && out >= 0 && copy_bytes(in, out);

	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return ok;
}

static int
set_aside(int dirfd, const char *name, int corruptfd, const char *reason, bool move)
{
	char kept[NAME_SIZE];
	bool ok;

	free_name(corruptfd, name, kept);
	ok = move ? renameat(dirfd, name, corruptfd, kept) == 0
		  : copy_file(dirfd, name, corruptfd, kept);
	if (!ok) {
		log_warn("file=%s cannot be set aside in corrupt/", name);
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
	return set_aside(dirfd, name, corruptfd, reason, false);
}
