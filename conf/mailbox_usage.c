/* mailbox_usage: how full is a mailbox? See mailbox_usage.h. */
#include "conf/mailbox_usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conf/maildirsize.h"

struct counting {
	struct mailbox_usage *usage;
	uint64_t need;
	unsigned names; /* that may still be looked at */
};

static int
open_beneath(int at, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC | O_NOFOLLOW,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, at, path, &how, sizeof how);
}

/* The Maildir itself, or -1. */
static int
open_maildir(const char *directory, struct span home, const char *maildir)
{
	int domain = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1, n;
	char path[PATH_MAX];

	if (domain < 0)
		return -1;
	n = snprintf(path, sizeof path, "./%.*s/%s", SPAN_ARG(home), maildir);
	if (n > 0 && (size_t)n < sizeof path)
		fd = open_beneath(domain, path, O_PATH | O_DIRECTORY);
	close(domain);
	return fd;
}

/* What maildirsize says, if it says anything. */
static bool
read_file(int maildir, int64_t now, struct maildirsize *m, bool *fresh)
{
	char text[MAILDIRSIZE_MAX + 1];
	struct stat st;
	ssize_t n = -1;
	int fd = open_beneath(maildir, "maildirsize", O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, text, sizeof text);
	close(fd);
	if (n <= 0 || maildirsize_parse(span_make(text, (size_t)n), m) != 0)
		return false;
	*fresh = now >= st.st_mtime && now - st.st_mtime < MAILDIRSIZE_STALE;
	return true;
}

/* Adds up the names of one directory; messages whose names do not say their sizes are looked at. */
static void
count_names(struct counting *c, int maildir, const char *leaf)
{
	int fd = open_beneath(maildir, leaf, O_RDONLY | O_DIRECTORY);
	struct mailbox_usage *u = c->usage;
	struct dirent *e;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (u->octets <= c->need && (e = readdir(d)) != NULL) {
		struct stat st;
		uint64_t size;

		if (c->names == 0)
			break;
		c->names--;
		if (e->d_name[0] == '.')
			continue;
		if (!maildirsize_of_name(span_str(e->d_name), &size)) {
			if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			    !S_ISREG(st.st_mode))
				continue;
			size = (uint64_t)st.st_size;
		}
		u->octets += size;
		u->messages++;
	}
	u->at_least = u->at_least || c->names == 0 || u->octets > c->need;
	closedir(d);
}

/* Folders of a Maildir++ are its sub-directories that begin with a dot. Are there any? */
static bool
has_folders(int maildir)
{
	int fd = open_beneath(maildir, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e = NULL;
	unsigned names = 64;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (names-- > 0 && (e = readdir(d)) != NULL)
		if (e->d_name[0] == '.' && strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0)
			break;
	closedir(d);
	return e != NULL;
}

void
mailbox_usage_read(const char *directory, struct span home, const char *maildir, uint64_t need,
    int64_t now, struct mailbox_usage *u)
{
	struct counting c = {u, need, MAILBOX_USAGE_NAMES};
	int fd = open_maildir(directory, home, maildir);
	struct maildirsize m;
	bool fresh;

	/* One that is not there yet has nothing in it, and that is all. */
	*u = (struct mailbox_usage){.at_least = fd >= 0 || errno != ENOENT};
	if (fd < 0)
		return;
	if (read_file(fd, now, &m, &fresh) && (fresh || m.octets <= need)) {
		*u = (struct mailbox_usage){.octets = m.octets, .messages = m.messages};
	} else {
		u->at_least = has_folders(fd);
		u->counted = true;
		count_names(&c, fd, "new");
		count_names(&c, fd, "cur");
	}
	close(fd);
}
