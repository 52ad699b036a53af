/*
 * maildir_quota: room in a mailbox. See maildir_quota.h. Everything is found from the descriptor of
 * cur/: the Maildir itself is the directory above it.
 */
#include "deliver/maildir_quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "conf/maildirsize.h"
#include "conf/units.h"

#define FILE_NAME "../maildirsize"

/* A name that is no folder's and no message's; of this process, since others may count at the same time. */
#define NEW_NAME_SIZE 48

struct sum {
	uint64_t octets, messages;
};

/* The file as it is. -1 if there is none of use. *st is its own. */
static int
read_file(const struct mailbox_dirs *d, struct maildirsize *m, struct stat *st)
{
	char text[MAILDIRSIZE_MAX + 1];
	ssize_t n = -1;
	int fd = openat(d->cur, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		n = read(fd, text, sizeof text);
	close(fd);
	return n > 0 ? maildirsize_parse(span_make(text, (size_t)n), m) : -1;
}

/* A directory below at, or NULL: then it has nothing in it that counts. */
static DIR *
open_directory(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (d == NULL && fd >= 0)
		close(fd);
	return d;
}

static void
count_messages(int at, const char *name, struct sum *sum)
{
	DIR *d = open_directory(at, name);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		struct stat st;
		uint64_t size;

		if (e->d_name[0] == '.')
			continue;
		if (!maildirsize_of_name(span_str(e->d_name), &size)) {
			if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			    !S_ISREG(st.st_mode))
				continue;
			size = (uint64_t)st.st_size;
		}
		sum->octets += size;
		sum->messages++;
	}
	if (d != NULL)
		closedir(d);
}

/* The Maildir and its folders, which stand in it with a dot in front (Maildir++). */
static struct sum
count_all(const struct mailbox_dirs *d)
{
	struct sum sum = {0, 0};
	DIR *maildir = open_directory(d->cur, "..");
	struct dirent *e;

	count_messages(d->new, ".", &sum);
	count_messages(d->cur, ".", &sum);
	while (maildir != NULL && (e = readdir(maildir)) != NULL) {
		DIR *folder;

		if (e->d_name[0] != '.' || strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		folder = open_directory(dirfd(maildir), e->d_name);
		if (folder == NULL)
			continue;
		count_messages(dirfd(folder), "new", &sum);
		count_messages(dirfd(folder), "cur", &sum);
		closedir(folder);
	}
	if (maildir != NULL)
		closedir(maildir);
	return sum;
}

/* A new file in the place of the old one, whole or not at all. */
static void
write_file(const struct mailbox_dirs *d, uint64_t limit, const struct sum *sum)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char name[NEW_NAME_SIZE];
	struct buf text;
	int fd;

	buf_init(&text, 256);
	maildirsize_format(&text, limit, sum->octets, sum->messages);
	snprintf(name, sizeof name, "maildirsize.%d", (int)getpid());
	unlinkat(d->tmp, name, 0);
	fd = openat(d->tmp, name, flags, 0600);
	if (fd < 0 || write(fd, text.p, text.len) != (ssize_t)text.len ||
	    renameat(d->tmp, name, d->cur, FILE_NAME) != 0) {
		log_warn("cannot write maildirsize: the mailbox is counted for each batch");
		if (fd >= 0)
			unlinkat(d->tmp, name, 0);
	}
	if (fd >= 0)
		close(fd);
	buf_release(&text);
}

static void
count(struct maildir_quota *q, const struct mailbox_dirs *d)
{
	struct sum sum = count_all(d);

	write_file(d, q->limit, &sum);
	q->used = sum.octets;
}

/* What is used; a file that says "full" to size octets more is believed if it is fresh, and from one who counted. */
static void
look(struct maildir_quota *q, const struct mailbox_dirs *d, uint64_t size)
{
	struct maildirsize m;
	struct stat st;

	q->looked = true;
	if (read_file(d, &m, &st) != 0 || m.limit != q->limit) {
		count(q, d);
		return;
	}
	q->used = m.octets;
	if (m.octets + size > q->limit &&
	    (m.lines > 1 || time(NULL) - st.st_mtime >= MAILDIRSIZE_STALE))
		count(q, d);
}

int
maildir_quota_admit(struct maildir_quota *q, const struct mailbox_dirs *d, uint64_t size,
    const char *address, struct verdict *v)
{
	char limit[UNITS_TEXT_SIZE];

	if (q->limit == 0)
		return 0;
	if (!q->looked)
		look(q, d, size);
	if (q->used + size <= q->limit) {
		q->used += size;
		return 0;
	}
	verdict_set(v, q->refuses ? VERDICT_PERMANENT : VERDICT_TEMPORARY,
	    q->refuses ? 552 : 452, q->refuses ? "5.2.2" : "4.2.2",
	    "The mailbox %s is full: %" PRIu64 " of its quota of %s octets are in use", address,
	    q->used, units_format_size(q->limit, limit));
	return -1;
}

void
maildir_quota_add(struct maildir_quota *q, uint64_t size)
{
	q->octets += size;
	q->messages++;
}

void
maildir_quota_save(struct maildir_quota *q, const struct mailbox_dirs *d)
{
	struct buf line;
	struct stat st;
	int fd;

	if (q->messages == 0)
		return;
	fd = openat(
	    d->cur, FILE_NAME, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return; /* nobody keeps one */
	buf_init(&line, 64);
	maildirsize_format_line(&line, q->octets, q->messages);
	/* One that is too long is to be counted afresh by whoever reads it. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= MAILDIRSIZE_MAX &&
	    write(fd, line.p, line.len) != (ssize_t)line.len)
		log_warn("cannot add to maildirsize");
	close(fd);
	buf_release(&line);
	q->octets = q->messages = 0;
}
