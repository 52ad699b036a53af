/*
 * crash_disk: a disk that remembers. The calls by which the storage library
 * changes files are defined here, in front of libc's: each is done, and written
 * to a log, and each flush is a point in that log. The log is shared with forked
 * children (the journal's checkpoints), whose changes come between those of their parent in an order that is
 * drawn by lot, and not left to the load of the machine. crash_image.h makes of any prefix of
 * it what a power cut could have left. Calls can be made to fail as well.
 *
 * Invariant checked on the way: a file whose write or flush failed is never
 * written or flushed again.
 */
#ifndef TESTS_UNIT_CRASH_DISK_H
#define TESTS_UNIT_CRASH_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DISK_OPS    60000
#define DISK_FILES  2000
#define DISK_DIRS   8
#define DISK_DATA   (192U << 20)
#define DISK_NAME   48
#define DISK_AHEAD  (512 << 10)
#define DISK_BEHIND 12 /* changes of others that a child waits for, at most */
#define DISK_WAIT   40 /* ... and milliseconds: they may be waiting for it */

enum disk_op_kind {
	DISK_CREATE,
	DISK_WRITE,
	DISK_SIZE,  /* the file has at least offset octets */
	DISK_FLUSH, /* everything written to the file before is on disk */
	DISK_FLUSH_FAILED,
	DISK_FLUSH_DIR,
	DISK_RENAME,
	DISK_UNLINK,
	DISK_NOTE, /* what the test wants remembered at this point */
};

struct disk_op {
	enum disk_op_kind kind;
	unsigned dir, file;
	uint64_t offset, len, data; /* data: where the octets stand in the log's memory */
	uint64_t note[4];
	char name[DISK_NAME], to[DISK_NAME];
};

/* The calls that can be made to fail. */
enum disk_call {
	CALL_OPEN,
	CALL_WRITE,
	CALL_FLUSH,
	CALL_ALLOCATE,
	CALL_RENAME,
	CALL_UNLINK,
	CALLS
};

struct disk_file {
	dev_t dev;
	ino_t ino;
	bool broken; /* a write or flush failed */
	bool written;
};

struct disk {
	pthread_mutex_t lock;
	bool recording, overflow;
	pid_t player;	 /* who plays the script; others are its children */
	uint64_t lot;	 /* from which it is drawn how far they stay behind */
	unsigned misuse; /* writes and flushes of a file whose write or flush had failed */
	unsigned nops, nfiles, ndirs;
	uint64_t used;
	struct disk_file dirs[DISK_DIRS], files[DISK_FILES];
	unsigned calls[CALLS]; /* made while recording */
	unsigned fail_at
	    [CALLS];   /* the call of this number fails, 0: none; and all after it if fail_on */
	int fail_with; /* errno; 0: the write is short */
	bool fail_on;
	unsigned failed; /* calls that were made to fail */
	unsigned
	    stop_after; /* while not recording: so many changes, less one, are still made; 0: no limit */
	struct disk_op ops[DISK_OPS];
	char data[DISK_DATA];
};

extern struct disk *disk;
struct disk *disk;

static inline void
disk_init(void)
{
	pthread_mutexattr_t shared;

	disk = mmap(NULL, sizeof *disk, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (disk == MAP_FAILED)
		abort();
	pthread_mutexattr_init(&shared);
	pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&disk->lock, &shared);
}

/* Forgets everything, and remembers from now on. Another seed lets children stay behind their parent at other changes. */
static inline void
disk_start(uint64_t seed)
{
	disk->player = getpid();
	disk->lot = seed;
	disk->nops = disk->nfiles = disk->ndirs = disk->misuse = disk->failed = 0;
	disk->used = 0;
	disk->overflow = disk->fail_on = false;
	memset(disk->calls, 0, sizeof disk->calls);
	memset(disk->fail_at, 0, sizeof disk->fail_at);
	disk->recording = true;
}

static inline void
disk_stop(void)
{
	disk->recording = false;
}

/* Call number n from now on, of this kind, fails; and those after it if on. */
static inline void
disk_fail(enum disk_call call, unsigned n, int error, bool on)
{
	disk->fail_with = error;
	disk->fail_on = on;
	disk->fail_at[call] = disk->calls[call] + n;
}

static inline void
disk_heal(void)
{
	memset(disk->fail_at, 0, sizeof disk->fail_at);
}

/* While nothing is recorded: n changes are made, then all of them fail. 0: none fails. */
static inline void
disk_stop_after(unsigned n)
{
	disk->stop_after = n > 0 ? n + 1 : 0;
}

static inline bool
disk_is_stopped(void)
{
	if (disk->recording || disk->stop_after == 0)
		return false;
	if (disk->stop_after > 1)
		disk->stop_after--;
	errno = EIO;
	return disk->stop_after == 1;
}

static inline unsigned
disk_changes(void)
{
	unsigned n;

	pthread_mutex_lock(&disk->lock);
	n = disk->nops;
	pthread_mutex_unlock(&disk->lock);
	return n;
}

/* A child, before a change: as often as not it waits until some others have been made. */
static inline void
disk_stay_behind(void)
{
	unsigned upto, lot;

	if (!disk->recording || getpid() == disk->player)
		return;
	disk->lot = disk->lot * 6364136223846793005ULL + 1442695040888963407ULL;
	lot = (unsigned)(disk->lot >> 33) % (2 * DISK_BEHIND);
	upto = disk_changes() + (lot < DISK_BEHIND ? 0 : lot - DISK_BEHIND + 1);
	for (unsigned i = 0; i < DISK_WAIT && disk_changes() < upto; i++)
		usleep(1000);
}

static inline struct disk_op *
disk_add(enum disk_op_kind kind, unsigned dir, unsigned file)
{
	struct disk_op *op = &disk->ops[disk->nops];

	if (disk->nops + 1 >= DISK_OPS) {
		disk->overflow = true;
		return op;
	}
	disk->nops++;
	*op = (struct disk_op){.kind = kind, .dir = dir, .file = file};
	return op;
}

static inline void
disk_note(uint64_t what, uint64_t a, uint64_t b, uint64_t c)
{
	struct disk_op *op;

	pthread_mutex_lock(&disk->lock);
	op = disk_add(DISK_NOTE, 0, 0);
	op->note[0] = what;
	op->note[1] = a;
	op->note[2] = b;
	op->note[3] = c;
	pthread_mutex_unlock(&disk->lock);
}

/* Finds fd among n files, the newest first; n if it is none of them. */
static inline unsigned
disk_find(const struct disk_file *files, unsigned n, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return n;
	for (unsigned i = n; i-- > 0;)
		if (files[i].ino == st.st_ino && files[i].dev == st.st_dev)
			return i;
	return n;
}

static inline unsigned
disk_dir(int fd)
{
	return disk_find(disk->dirs, disk->ndirs, fd);
}

static inline void
disk_add_file(struct disk_file *files, unsigned *n, unsigned max, int fd)
{
	struct stat st;

	if (*n == max || fstat(fd, &st) != 0) {
		disk->overflow = true;
		return;
	}
	files[(*n)++] = (struct disk_file){.dev = st.st_dev, .ino = st.st_ino};
}

/* Counts a call; true if it is to fail now. */
static inline bool
disk_fails(enum disk_call call)
{
	unsigned n = ++disk->calls[call], at = disk->fail_at[call];

	if (at == 0 || n < at || (n > at && !disk->fail_on))
		return false;
	disk->failed++;
	errno = disk->fail_with != 0 ? disk->fail_with : EIO;
	return true;
}

static inline struct disk_op *
disk_add_write(unsigned file, uint64_t offset, const struct iovec *iov, int n, uint64_t len)
{
	struct disk_op *op = disk_add(DISK_WRITE, 0, file);
	uint64_t left = len;

	if (disk->used + len > DISK_DATA) {
		disk->overflow = true;
		return op;
	}
	op->offset = offset;
	op->len = len;
	op->data = disk->used;
	for (int i = 0; i < n && left > 0; i++) {
		uint64_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

		memcpy(disk->data + disk->used, iov[i].iov_base, part);
		disk->used += part;
		left -= part;
	}
	disk->files[file].written = true;
	return op;
}

/* What stdio wrote to the file was not seen: it is read back before the flush. */
static inline void
disk_add_unseen(unsigned file, int fd)
{
	struct stat st;
	struct iovec iov;
	char path[64], *p;
	int in;

	if (disk->files[file].written || fstat(fd, &st) != 0 || st.st_size == 0)
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	in = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	p = malloc((size_t)st.st_size);
	if (in < 0 || p == NULL || pread(in, p, (size_t)st.st_size, 0) != st.st_size)
		disk->overflow = true;
	else {
		iov = (struct iovec){p, (size_t)st.st_size};
		disk_add_write(file, 0, &iov, 1, iov.iov_len);
	}
	free(p);
	if (in >= 0)
		close(in);
}

static inline int
disk_mkdir(int dirfd, const char *name, mode_t mode)
{
	int r = (int)syscall(SYS_mkdirat, dirfd, name, mode), fd;

	if (r != 0 || !disk->recording)
		return r;
	if (disk->ndirs == 0)
		disk_add_file(disk->dirs, &disk->ndirs, DISK_DIRS, dirfd);
	fd = (int)syscall(SYS_openat, dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	disk_add_file(disk->dirs, &disk->ndirs, DISK_DIRS, fd);
	close(fd);
	return 0;
}

static inline int
disk_open(int dirfd, const char *name, int flags, mode_t mode)
{
	unsigned dir;
	int fd = -1;

	if ((flags & O_CREAT) != 0)
		disk_stay_behind();
	if ((flags & O_CREAT) != 0 && disk_is_stopped())
		return -1;
	pthread_mutex_lock(&disk->lock);
	dir = disk->recording && dirfd != AT_FDCWD ? disk_dir(dirfd) : disk->ndirs;
	if (dir == disk->ndirs || !disk_fails(CALL_OPEN))
		fd = (int)syscall(SYS_openat, dirfd, name, flags, mode);
	if (fd >= 0 && dir < disk->ndirs && (flags & O_EXCL) != 0) {
		struct disk_op *op = disk_add(DISK_CREATE, dir, disk->nfiles);

		snprintf(op->name, sizeof op->name, "%s", name);
		disk_add_file(disk->files, &disk->nfiles, DISK_FILES, fd);
	}
	pthread_mutex_unlock(&disk->lock);
	return fd;
}

static inline ssize_t
disk_write(int fd, const struct iovec *iov, int n, off_t offset)
{
	unsigned file;
	ssize_t r;

	if (!disk->recording)
		return disk_is_stopped() ? -1 : syscall(SYS_pwritev, fd, iov, n, offset, 0);
	pthread_mutex_lock(&disk->lock);
	file = disk_find(disk->files, disk->nfiles, fd);
	if (file < disk->nfiles) {
		disk->misuse += disk->files[file].broken;
		if (disk_fails(CALL_WRITE)) {
			bool shorter = disk->fail_with == 0;
			size_t len = iov[0].iov_len > 1000 ? 1000 : iov[0].iov_len / 2;
			struct iovec part = {iov[0].iov_base, len};

			disk->files[file].broken = !shorter;
			r = shorter ? syscall(SYS_pwritev, fd, &part, 1, offset, 0) : -1;
			if (shorter && len == 0)
				r = -1;
			if (r > 0)
				disk_add_write(file, (uint64_t)offset, &part, 1, (uint64_t)r);
			pthread_mutex_unlock(&disk->lock);
			return r;
		}
	}
	r = syscall(SYS_pwritev, fd, iov, n, offset, 0);
	if (r > 0 && file < disk->nfiles)
		disk_add_write(file, (uint64_t)offset, iov, n, (uint64_t)r);
	pthread_mutex_unlock(&disk->lock);
	return r;
}

/* Nothing is flushed in truth: what the log says is what counts. */
static inline int
disk_flush(int fd)
{
	unsigned file, dir;
	int r = 0;

	if (!disk->recording)
		return disk_is_stopped() ? -1 : 0;
	disk_stay_behind();
	pthread_mutex_lock(&disk->lock);
	file = disk_find(disk->files, disk->nfiles, fd);
	dir = disk_dir(fd);
	if (file < disk->nfiles) {
		disk_add_unseen(file, fd);
		disk->misuse += disk->files[file].broken;
	}
	if (file < disk->nfiles || dir < disk->ndirs)
		r = disk_fails(CALL_FLUSH) ? -1 : 0;
	if (file < disk->nfiles) {
		disk->files[file].broken |= r != 0;
		(void)disk_add(r == 0 ? DISK_FLUSH : DISK_FLUSH_FAILED, 0, file);
	} else if (dir < disk->ndirs && r == 0)
		(void)disk_add(DISK_FLUSH_DIR, dir, 0);
	pthread_mutex_unlock(&disk->lock);
	return r;
}

static inline int
disk_allocate(int fd, int mode, off_t offset, off_t len)
{
	unsigned file;
	struct stat st;
	int r = 0;

	/* A log's megabytes ahead of need would only cost time: reading them is like reading its end. */
	if (len > DISK_AHEAD)
		len = DISK_AHEAD;
	pthread_mutex_lock(&disk->lock);
	file = disk->recording ? disk_find(disk->files, disk->nfiles, fd) : disk->nfiles;
	if (disk->recording && file < disk->nfiles && disk_fails(CALL_ALLOCATE))
		r = -1;
	else if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && fstat(fd, &st) == 0 &&
		 st.st_size < offset + len) {
		/* Sparse: what is read from it is the same, and the test is faster. */
		r = (int)syscall(SYS_ftruncate, fd, offset + len);
		if (r == 0 && disk->recording && file < disk->nfiles)
			disk_add(DISK_SIZE, 0, file)->offset = (uint64_t)(offset + len);
	}
	pthread_mutex_unlock(&disk->lock);
	return r;
}

static inline int
disk_rename(int from, const char *name, int to, const char *new_name)
{
	unsigned dir;
	int r = -1;

	disk_stay_behind();
	if (disk_is_stopped())
		return -1;
	pthread_mutex_lock(&disk->lock);
	dir = disk->recording ? disk_dir(from) : disk->ndirs;
	if (dir == disk->ndirs || !disk->recording || !disk_fails(CALL_RENAME))
		r = (int)syscall(SYS_renameat2, from, name, to, new_name, 0);
	if (r == 0 && disk->recording && dir < disk->ndirs) {
		struct disk_op *op = disk_add(DISK_RENAME, dir, 0);

		disk->overflow |= disk_dir(to) != dir; /* quarantine: no script causes it */
		snprintf(op->name, sizeof op->name, "%s", name);
		snprintf(op->to, sizeof op->to, "%s", new_name);
	}
	pthread_mutex_unlock(&disk->lock);
	return r;
}

static inline int
disk_unlink(int dirfd, const char *name, int flags)
{
	unsigned dir;
	int r = -1;

	disk_stay_behind();
	if (disk_is_stopped())
		return -1;
	pthread_mutex_lock(&disk->lock);
	dir = disk->recording && dirfd != AT_FDCWD ? disk_dir(dirfd) : disk->ndirs;
	if (dir == disk->ndirs || !disk->recording || !disk_fails(CALL_UNLINK))
		r = (int)syscall(SYS_unlinkat, dirfd, name, flags);
	if (r == 0 && disk->recording && dir < disk->ndirs)
		snprintf(disk_add(DISK_UNLINK, dir, 0)->name, DISK_NAME, "%s", name);
	pthread_mutex_unlock(&disk->lock);
	return r;
}

#endif
