/*
 * fsck_files: what stands in the spool beside segments and journal: files that do not belong there, what has been set
 * aside in corrupt/, how much room there is. See fsck_parts.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/xalloc.h"
#include "queue/fsck_parts.h"

#define REASON_MAX 500

/* Calls fn for every name in a directory but . and .. */
static void
each_name(
    int spoolfd, const char *dir, void (*fn)(const char *name, int dirfd, void *arg), void *arg)
{
	int fd = fsck_directory(spoolfd, dir);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fn(e->d_name, fd, arg);
	closedir(d);
}

static bool
ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

/* Is it what an unfinished creation leaves: the name of a segment, and .new? */
static bool
is_unfinished(const char *name, bool large)
{
	char stem[SPOOL_NAME_SIZE];
	size_t n = strlen(name);
	uint64_t number;

	if (!ends_with(name, ".new") || n - 4 >= sizeof stem)
		return false;
	snprintf(stem, sizeof stem, "%.*s", (int)(n - 4), name);
	return spool_segment_name_parse(stem, large, &number) == 0;
}

/* A segment with a second name: somebody made a link to it. */
static bool
is_shared(const struct fsck_report *r, const char *name, bool large)
{
	int dirfd = fsck_directory(r->spoolfd, large ? "large" : "segments");
	uint64_t number;
	struct stat st;
	bool shared = spool_segment_name_parse(name, large, &number) == 0 && dirfd >= 0 &&
		      fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		      S_ISREG(st.st_mode) && st.st_nlink > 1;

	if (dirfd >= 0)
		close(dirfd);
	return shared;
}

static void
on_stray(bool large, const char *name, const char *why, void *arg)
{
	struct fsck_report *r = arg;
	char *file = xasprintf("%s/%s", large ? "large" : "segments", name);

	if (is_shared(r, name, large))
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_UNSHARE, file, "%s", why);
	else if (!is_unfinished(name, large))
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_SET_ASIDE, file, "%s", why);
	else if (!r->running)
		fsck_add(r, FSCK_NOTE, FSCK_CURE_RECOVER, file,
		    "was never finished: the next start removes it");
	free(file);
}

static bool
is_journal_name(const char *name, const char *suffix)
{
	char again[JOURNAL_NAME_SIZE];

	return strcmp(journal_file_name(strtoull(name, NULL, 10), suffix, again), name) == 0;
}

static void
on_journal_name(const char *name, int dirfd, void *arg)
{
	struct fsck_report *r = arg;
	struct stat st;
	char *file;
	bool regular =
	    fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);

	if (regular && (is_journal_name(name, ".log") || is_journal_name(name, ".ckpt") ||
			   strcmp(name, "instance") == 0 || strcmp(name, "reserve") == 0))
		return;
	file = xasprintf("journal/%s", name);
	if (regular &&
	    (is_journal_name(name, ".ckpt.new") || strcmp(name, "instance.new") == 0)) {
		if (!r->running)
			fsck_add(r, FSCK_NOTE, FSCK_CURE_RECOVER, file,
			    "was never finished: the next start removes it");
	} else {
		fsck_add(
		    r, FSCK_PROBLEM, FSCK_CURE_SET_ASIDE, file, "it is no file of the journal");
	}
	free(file);
}

static void
on_top_name(const char *name, int dirfd, void *arg)
{
	static const char *const known[] = {"lock", "segments", "large", "journal", "drop",
	    "corrupt", "sockets", "secret", "secret.new", "lost+found"};

	(void)dirfd;
	if (span_among(span_str(name), known, sizeof known / sizeof *known) < 0)
		fsck_add(arg, FSCK_NOTE, FSCK_CURE_NONE, name, "is nothing of Postrider's");
}

/* The text of a .reason in one line; the caller frees. NULL if there is none. */
static char *
read_reason(int dirfd, const char *name)
{
	char *path = xasprintf("%s.reason", name), text[REASON_MAX + 1];
	int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, REASON_MAX) : -1;

	free(path);
	if (fd >= 0)
		close(fd);
	return n < 0 ? NULL
		     : xspandup(span_trim(span_cut(&(struct span){text, (size_t)n}, '\n')));
}

static void
on_kept_name(const char *name, int dirfd, void *arg)
{
	struct fsck_report *r = arg;
	struct fsck_kept *k;
	struct stat st;

	if (ends_with(name, ".reason") || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	r->kept = xreallocarray(r->kept, r->nkept + 1, sizeof *r->kept);
	k = &r->kept[r->nkept++];
	*k = (struct fsck_kept){.name = xstrdup(name), .size = (uint64_t)st.st_size};
	k->reason = read_reason(dirfd, name);
}

static int
kept_by_name(const void *a, const void *b)
{
	const struct fsck_kept *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void
fsck_list_kept(struct fsck_report *r)
{
	each_name(r->spoolfd, "corrupt", on_kept_name, r);
	if (r->nkept > 0)
		qsort(r->kept, r->nkept, sizeof *r->kept, kept_by_name);
}

static void
measure(struct fsck_report *r)
{
	struct statvfs s;

	if (fstatvfs(r->spoolfd, &s) != 0)
		return;
	r->size = (uint64_t)s.f_blocks * s.f_frsize;
	r->room = (uint64_t)s.f_bavail * s.f_frsize;
	r->inodes = s.f_favail;
	if ((s.f_flag & ST_RDONLY) != 0)
		fsck_add(r, FSCK_PROBLEM, FSCK_CURE_NONE, "",
		    "the file system is mounted read-only: nothing can be accepted or "
		    "recorded");
}

void
fsck_examine_files(struct fsck_report *r)
{
	struct segment_pool *pool = segment_pool_examine(r->spoolfd, r->instance, on_stray, r);

	segment_pool_free(&pool);
	each_name(r->spoolfd, "journal", on_journal_name, r);
	each_name(r->spoolfd, ".", on_top_name, r);
	fsck_list_kept(r);
	measure(r);
}
