/*
 * spool_files: the files of a spool as a test sees them from outside: counted, cut,
 * changed as a disk that rots changes them. For the tests of queue/; files are
 * named from the spool down ("journal/0000000001.log").
 */
#ifndef TESTS_UNIT_SPOOL_FILES_H
#define TESTS_UNIT_SPOOL_FILES_H

#include "tests/unit/spool_fixture.h"

#include <dirent.h>

#define SPOOL_FILES_PATH 64

/* How many there are in a directory of the spool. */
static inline unsigned
spool_files_count(int spoolfd, const char *dir)
{
	DIR *d = fdopendir(openat(spoolfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* One bit of the octet there is not as it was. */
static inline void
spool_files_flip(int spoolfd, const char *name, uint64_t at)
{
	int fd = openat(spoolfd, name, O_RDWR | O_CLOEXEC);
	char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
	c = (char)(c ^ 0x10);
	assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
	close(fd);
}

/* Cut, or longer with zeros at its end. */
static inline void
spool_files_cut(int spoolfd, const char *name, off_t size)
{
	int fd = openat(spoolfd, name, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

/* The file that a message stands in. */
static inline void
spool_files_of(const struct message *m, char out[SPOOL_FILES_PATH])
{
	char name[SPOOL_NAME_SIZE];

	snprintf(out, SPOOL_FILES_PATH, "%s/%s", m->segment->large ? "large" : "segments",
	    spool_segment_name(m->segment->number, m->segment->large, name));
}

/* The files with this suffix go from a directory; NULL: all of them. */
static inline void
spool_files_remove(int spoolfd, const char *dir, const char *suffix)
{
	int fd = openat(spoolfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name), n = suffix != NULL ? strlen(suffix) : 0;

		if (e->d_name[0] != '.' && len >= n &&
		    (n == 0 || strcmp(e->d_name + len - n, suffix) == 0))
			assert_int_equal(unlinkat(fd, e->d_name, 0), 0);
	}
	closedir(d);
}

/* All that the journal remembers goes; which spool it is stays. */
static inline void
spool_files_remove_journal(int spoolfd)
{
	spool_files_remove(spoolfd, "journal", ".log");
	spool_files_remove(spoolfd, "journal", ".ckpt");
}

#endif
