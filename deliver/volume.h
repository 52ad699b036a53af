/*
 * volume: the file systems that the mailboxes of one batch lie on, and how they
 * are flushed. Flushing file after file costs a flush of the disk for each, on
 * every file system there is; syncfs flushes them all at once (measured on ext4: two
 * to four times the messages a second, from batches of four on). But syncfs is
 * known to mean "on the disk, or an error" on a few file systems only, and it waits for
 * what everybody else has written there too. So it is used on those, for batches that gain, and
 * not for a while after it has been slow.
 */
#ifndef DELIVER_VOLUME_H
#define DELIVER_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/statfs.h>

/* From so many files on a shared flush pays. */
#define VOLUME_SHARED_MIN 4

/* A shared flush that took longer was not worth it; files go one by one for a while. */
#define VOLUME_SLOW_MS	1000
#define VOLUME_AVOID_MS 30000

struct volume {
	fsid_t id;
	int fd; /* of the caller: opened before any of the files was written, so that it hears of their errors */
	size_t files; /* to be flushed now */
	bool flushed; /* they were, all at once */
	int error;    /* 0, or what that flush said */
};

/* What is remembered from batch to batch. Zero to begin with. */
struct volume_memory {
	uint64_t avoid_until_ms;
};

/*
 * The volume of the directory fd among *n (at most max; fd is kept for a new one), or NULL if
 * its file system has to be flushed file by file.
 */
struct volume *volume_obtain(struct volume *v, size_t *n, size_t max, int fd);

/*
 * Flushes every volume with files enough at once, sets flushed and error, and starts counting
 * files anew. The others are left to be flushed file by file.
 */
void volume_flush_all(struct volume *v, size_t n, struct volume_memory *memory);

#endif
