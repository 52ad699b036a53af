/*
 * datafile: reads a file that a person writes and we act upon (postrider.conf, a
 * domain's passwd, aliases, domain.conf), after making sure that nobody else can
 * write it: a regular file with one name, owned by root or by who may write it,
 * not writable by group or others. Never blocks on a FIFO or device.
 */
#ifndef CONF_DATAFILE_H
#define CONF_DATAFILE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "common/buf.h"

/* What tells one version of a file from the next without reading it. */
struct datafile_stamp {
	bool exists;
	dev_t dev;
	ino_t ino;
	off_t size;
	mode_t mode;
	uid_t uid;
	struct timespec modified, changed;
};

enum datafile_result {
	DATAFILE_OK,
	DATAFILE_MISSING, /* there is no such file, which may be fine */
	DATAFILE_REFUSED, /* it cannot be read, or must not be believed: *why says which and what to do */
};

/*
 * Reads the file `name` below dirfd into out (emptied before; its maximum is the most that is
 * read). beneath: no component may lead out of dirfd (openat2 RESOLVE_BENEATH); else dirfd may be
 * AT_FDCWD and name absolute. Besides root the file may belong to owner. *stamp (may be NULL) is
 * that of the file read. why is a text for people without the file's name; the caller releases it.
 */
enum datafile_result datafile_read(int dirfd, const char *name, bool beneath, uid_t owner,
    struct buf *out, struct datafile_stamp *stamp, struct buf *why);

/* The stamp of the file there now, beneath dirfd (exists = false if there is none). */
void datafile_stamp(int dirfd, const char *name, struct datafile_stamp *stamp);
/* The same for an absolute path that the administrator wrote. */
void datafile_stamp_path(const char *path, struct datafile_stamp *stamp);
bool datafile_stamp_equal(const struct datafile_stamp *a, const struct datafile_stamp *b);

/* openat2 with RESOLVE_BENEATH; O_CLOEXEC is added. -1 and errno as openat2. */
int datafile_open_beneath(int dirfd, const char *path, int flags);

/*
 * May what this stat describes be believed? Owned by root or owner, not writable by group or
 * others; a file: regular, one name. false with the reason in *why.
 */
bool datafile_trusted(const struct stat *st, uid_t owner, struct buf *why);

#endif
