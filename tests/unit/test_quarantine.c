/* Setting aside: with a reason, once, in full or not at all, whatever can be read. */
#include "tests/unit/spool_fixture.h"

#include <dirent.h>
#include <sys/syscall.h>

#include "queue/quarantine.h"

/* Octets in [bad_from, bad_to) of the file with this inode cannot be read; nothing can be written behind write_max. */
static ino_t bad_inode;
static off_t bad_from, bad_to, write_max;

ssize_t
pread(int fd, void *p, size_t n, off_t offset)
{
	struct stat st;

	if (bad_inode != 0 && fstat(fd, &st) == 0 && st.st_ino == bad_inode &&
	    offset < bad_to && offset + (off_t)n > bad_from) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, p, n, offset);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t offset)
{
	if (write_max > 0 && offset + (off_t)n > write_max) {
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, p, n, offset);
}

struct place {
	char path[64];
	int dirfd, corruptfd;
};

static void
place_init(struct place *p)
{
	bad_inode = 0;
	write_max = 0;
	snprintf(p->path, sizeof p->path, "/tmp/postrider-test.XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->dirfd = open(p->path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(p->dirfd, "corrupt", 0700), 0);
	p->corruptfd = openat(p->dirfd, "corrupt", O_RDONLY | O_DIRECTORY);
}

static void
place_release(struct place *p)
{
	close(p->dirfd);
	close(p->corruptfd);
	nftw(p->path, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static void
put(struct place *p, const char *name, size_t size, char octet)
{
	int fd = openat(p->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char *octets = xmalloc(size + 1);

	memset(octets, octet, size);
	assert_int_equal(write(fd, octets, size), (ssize_t)size);
	free(octets);
	close(fd);
}

/* Number of files in the quarantine; the name of one that is no reason into kept. */
static size_t
kept(struct place *p, char name[256])
{
	DIR *d = fdopendir(openat(p->corruptfd, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *e;
	size_t n = 0;

	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		if (strstr(e->d_name, ".reason") == NULL)
			snprintf(name, 256, "%s", e->d_name);
	}
	closedir(d);
	return n;
}

static void
test_moved_with_reason(void **state)
{
	struct place p;
	char name[256], reason[300], text[64] = {0};
	int fd;

	(void)state;
	place_init(&p);
	put(&p, "file", 10, 'x');
	assert_int_equal(quarantine_move(p.dirfd, "file", p.corruptfd, "it is a test"), 0);
	assert_int_equal(faccessat(p.dirfd, "file", F_OK, 0), -1);
	assert_int_equal(kept(&p, name), 2);
	snprintf(reason, sizeof reason, "%s.reason", name);
	fd = openat(p.corruptfd, reason, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof text), 13);
	assert_string_equal(text, "it is a test\n");
	close(fd);
	place_release(&p);
}

/* Found again at every start: the same octets fill the disk once; others are others. */
static void
test_the_same_is_copied_once(void **state)
{
	struct place p;
	char name[256];

	(void)state;
	place_init(&p);
	put(&p, "file", 200000, 'x');
	for (int i = 0; i < 3; i++)
		assert_int_equal(quarantine_copy(p.dirfd, "file", p.corruptfd, "again"), 0);
	assert_int_equal(kept(&p, name), 2);
	put(&p, "file", 200000, 'y');
	assert_int_equal(quarantine_copy(p.dirfd, "file", p.corruptfd, "again"), 0);
	assert_int_equal(kept(&p, name), 4);
	place_release(&p);
}

/* CF-10: a sector that cannot be read is a hole in the copy, everything around it is kept. */
static void
test_unreadable_sector_is_a_hole(void **state)
{
	struct place p;
	struct stat st;
	char name[256], c;
	int fd;

	(void)state;
	place_init(&p);
	put(&p, "file", 300000, 'x');
	assert_int_equal(fstatat(p.dirfd, "file", &st, 0), 0);
	bad_inode = st.st_ino;
	bad_from = 100000;
	bad_to = 100512;
	assert_int_equal(quarantine_copy(p.dirfd, "file", p.corruptfd, "EIO"), 0);
	assert_int_equal(kept(&p, name), 2);
	fd = openat(p.corruptfd, name, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 300000);
	for (off_t at = 0; at < 300000; at += 1000) {
		assert_int_equal(pread(fd, &c, 1, at), 1);
		assert_int_equal(c, at / 4096 == 100000 / 4096 ? '\0' : 'x');
	}
	close(fd);
	assert_int_equal(quarantine_copy(p.dirfd, "file", p.corruptfd, "EIO"), 0);
	assert_int_equal(kept(&p, name), 2);
	place_release(&p);
}

/* On a full disk half a copy is worse than none. */
static void
test_half_a_copy_is_not_left(void **state)
{
	struct place p;
	char name[256];

	(void)state;
	place_init(&p);
	put(&p, "file", 300000, 'x');
	write_max = 100000;
	assert_int_equal(quarantine_copy(p.dirfd, "file", p.corruptfd, "full"), -1);
	assert_int_equal(kept(&p, name), 0);
	assert_int_equal(faccessat(p.dirfd, "file", F_OK, 0), 0);
	write_max = 0;
	assert_int_equal(quarantine_copy(p.dirfd, "file", p.corruptfd, "room"), 0);
	assert_int_equal(kept(&p, name), 2);
	place_release(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_moved_with_reason),
	    cmocka_unit_test(test_the_same_is_copied_once),
	    cmocka_unit_test(test_unreadable_sector_is_a_hole),
	    cmocka_unit_test(test_half_a_copy_is_not_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
