/*
 * recfs: a disk that remembers, below a real file system. A FUSE directory with
 * three files:
 *
 *	disk	the image BACKING; every write and flush is appended to LOG
 *	mark	what is written here is appended to LOG, in its order
 *	fail	"1" makes every write to disk fail with EIO, "0" ends that
 *
 * Mounted by a loop device it is dm-log-writes without the kernel module.
 * tests/crash makes of any prefix of the log what a power cut would have left.
 *
 *	recfs BACKING LOG MOUNTPOINT		stays in the foreground
 *
 * A log record: type (4: 1 write, 2 flush, 3 mark), length (4), offset (8), data; the host's order.
 * One thread, so the log's order is the order of things.
 * Built without libfuse3 it only says so, with exit status 77.
 */
#if !__has_include(<fuse.h>)

#include <stdio.h>

int
main(void)
{
	fprintf(stderr, "recfs: built without libfuse3\n");
	return 77;
}

#else

#define FUSE_USE_VERSION 31

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum record_type { RECORD_WRITE = 1, RECORD_FLUSH = 2, RECORD_MARK = 3 };

struct recorder {
	int backing, log;
	bool failing;
};

enum file { FILE_DISK, FILE_MARK, FILE_FAIL, FILES };

static const char *const paths[FILES] = {"/disk", "/mark", "/fail"};

static enum file
find_file(const char *path)
{
	enum file f = FILE_DISK;

	while (f < FILES && strcmp(paths[f], path) != 0)
		f++;
	return f;
}

static struct recorder *
self(void)
{
	return fuse_get_context()->private_data;
}

/* 0, or a negative errno: the log must be whole, so what cannot be logged is not done. */
static int
add_record(enum record_type type, off_t offset, const char *data, size_t n)
{
	struct {
		uint32_t type, length;
		uint64_t offset;
	} head = {type, (uint32_t)n, (uint64_t)offset};
	struct iovec iov[2] = {{&head, sizeof head}, {(void *)(uintptr_t)data, n}};

	if (writev(self()->log, iov, n > 0 ? 2 : 1) != (ssize_t)(sizeof head + n))
		return -EIO;
	return 0;
}

static int
on_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	enum file f = find_file(path);
	struct stat backing;

	(void)fi;
	memset(st, 0, sizeof *st);
	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 2;
		return 0;
	}
	if (f == FILES)
		return -ENOENT;
	st->st_mode = S_IFREG | 0600;
	st->st_nlink = 1;
	if (f == FILE_DISK && fstat(self()->backing, &backing) == 0)
		st->st_size = backing.st_size;
	return 0;
}

static int
on_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t offset,
    struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	(void)path, (void)offset, (void)fi, (void)flags;
	for (enum file f = FILE_DISK; f < FILES; f++)
		fill(out, paths[f] + 1, NULL, 0, 0);
	return 0;
}

static int
on_open(const char *path, struct fuse_file_info *fi)
{
	enum file f = find_file(path);

	fi->direct_io = f == FILE_MARK || f == FILE_FAIL;
	return f < FILES ? 0 : -ENOENT;
}

static int
on_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
	(void)size, (void)fi;
	return find_file(path) == FILE_DISK ? -EPERM : 0;
}

static int
on_read(const char *path, char *out, size_t n, off_t offset, struct fuse_file_info *fi)
{
	ssize_t r;

	(void)fi;
	if (find_file(path) != FILE_DISK)
		return 0;
	r = pread(self()->backing, out, n, offset);
	return r < 0 ? -errno : (int)r;
}

static int
on_write(const char *path, const char *data, size_t n, off_t offset, struct fuse_file_info *fi)
{
	enum file f = find_file(path);
	ssize_t r = (ssize_t)n;

	(void)fi;
	if (f == FILE_FAIL) {
		self()->failing = n > 0 && data[0] == '1';
		return (int)n;
	}
	if (f == FILE_DISK && self()->failing)
		return -EIO;
	if (add_record(f == FILE_DISK ? RECORD_WRITE : RECORD_MARK, f == FILE_DISK ? offset : 0,
		data, n) != 0)
		return -EIO;
	if (f == FILE_DISK)
		r = pwrite(self()->backing, data, n, offset);
	return r < 0 ? -errno : (int)r;
}

static int
on_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	(void)datasync, (void)fi;
	if (find_file(path) != FILE_DISK)
		return 0;
	return self()->failing ? -EIO : add_record(RECORD_FLUSH, 0, NULL, 0);
}

static const struct fuse_operations operations = {.getattr = on_getattr,
    .readdir = on_readdir,
    .open = on_open,
    .truncate = on_truncate,
    .read = on_read,
    .write = on_write,
    .fsync = on_fsync};

int
main(int argc, char **argv)
{
	struct recorder r = {.failing = false};
	char name[] = "recfs", foreground[] = "-f", one_thread[] = "-s";
	char *arguments[] = {name, foreground, one_thread, NULL, NULL};

	if (argc != 4) {
		fprintf(stderr, "usage: recfs BACKING LOG MOUNTPOINT\n");
		return 64;
	}
	r.backing = open(argv[1], O_RDWR | O_CLOEXEC);
	r.log = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (r.backing < 0 || r.log < 0) {
		perror("recfs");
		return 66;
	}
	arguments[3] = argv[3];
	return fuse_main(4, arguments, &operations, &r);
}

#endif
