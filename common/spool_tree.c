/*
 * spool_tree: the directories below the spool and its lock. See spool_tree.h,
 * doc/SPOOL.md. Works on directory descriptors, so that what was checked is what is used.
 */
#include "common/spool_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/trusted_path.h"
#include "common/xalloc.h"

#define DIRECTORY    (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define LOCK_POLL_MS 20

/* Directories of the queue user. */
static const struct {
	const char *name;
	mode_t mode;
} queue_directories[] = {
    {"segments", 0700}, {"large", 0700}, {"journal", 0700}, {"corrupt", 0700},
    {"drop", 03733}, /* anybody may leave a file, nobody may look */
};

int
spool_tree_check(const char *spool)
{
	struct buf why;
	struct stat st;
	int r = 0;

	if (sandbox_is_root()) {
		buf_init(&why, LOG_LINE_MAX);
		r = trusted_path_check(spool, &why);
		if (r != 0)
			log_warnx("cannot use the spool %s: %s", spool, buf_str(&why));
		buf_release(&why);
		if (r != 0)
			return -1;
	}
	if (mkdir(spool, 0755) == 0) {
		if (chmod(spool, 0755) == 0)
			return 0;
	} else if (errno == EEXIST && stat(spool, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			log_warnx("the spool %s is not a directory", spool);
		else if (st.st_uid != geteuid())
			log_warnx("the spool %s is owned by user %lu: only user %lu can use it",
			    spool, (unsigned long)st.st_uid, (unsigned long)geteuid());
		else if ((st.st_mode & 022) != 0)
			log_warnx("the spool %s is writable by others: chmod go-w it", spool);
		else
			return 0;
		return -1;
	}
	log_warn("cannot create the spool %s", spool);
	return -1;
}

int
spool_tree_lock(const char *spool, unsigned wait_ms)
{
	uint64_t end = clock_mono_ms() + wait_ms;
	char *path = xasprintf("%s/lock", spool);
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), r = -1;

	while (fd >= 0 && (r = flock(fd, LOCK_EX | LOCK_NB)) != 0 && errno == EWOULDBLOCK &&
	       clock_mono_ms() < end)
		usleep(LOCK_POLL_MS * 1000);
	if (r != 0) {
		bool held = fd >= 0 && errno == EWOULDBLOCK;

		if (held)
			log_warnx("another postriderd works in %s", spool);
		else
			log_warn("cannot lock %s", path);
		if (fd >= 0)
			close(fd);
		fd = held ? -1 : -2;
	}
	free(path);
	return fd;
}

/*
 * A directory of this owner and mode; what exists under the name must be a directory of
 * that owner, or ours (a start that was cut short). Returns a descriptor of it, or -1.
 */
static int
make(int parent, const char *name, const struct process_ids *owner, mode_t mode)
{
	struct stat st;
	int fd;

	if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST) {
		log_warn("cannot create the directory %s of the spool", name);
		return -1;
	}
	fd = openat(parent, name, DIRECTORY);
	if (fd < 0 || fstat(fd, &st) != 0) {
		log_warn("cannot open the directory %s of the spool", name);
	} else if (st.st_uid != owner->uid && st.st_uid != geteuid()) {
		log_warnx(
		    "the directory %s of the spool is owned by user %lu, not %lu: chown -R it",
		    name, (unsigned long)st.st_uid, (unsigned long)owner->uid);
	} else if (((st.st_uid != owner->uid || st.st_gid != owner->gid) &&
		       fchown(fd, owner->uid, owner->gid) != 0) ||
		   fchmod(fd, mode) != 0) {
		log_warn("cannot set owner and mode of the directory %s of the spool", name);
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
make_and_close(int parent, const char *name, const struct process_ids *owner, mode_t mode)
{
	int fd = make(parent, name, owner, mode);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* One directory for each who connects: group and mode keep the others out. */
static int
make_socket_directories(int spool, const struct process_ids *ids)
{
	struct process_ids self = {geteuid(), getegid()};
	int parent = make(spool, "sockets", &self, 0755), r = 0;
	size_t n;
	const struct socket_row *rows = socket_table(&n);

	if (parent < 0)
		return -1;
	for (size_t i = 0; i < n && r == 0; i++) {
		struct span path = span_str(rows[i].name);
		char *name = xspandup(span_cut(&path, '/'));
		const struct process_ids *user = process_ids_find(ids, rows[i].used_by);
		struct process_ids owner = {self.uid, user != NULL ? user->gid : self.gid};
		bool all = strcmp(rows[i].used_by, "everybody") == 0;

		r = make_and_close(parent, name, &owner, all ? 0755 : 0750);
		free(name);
	}
	close(parent);
	return r;
}

/* New names must outlive a power cut, or mail acknowledged right after the first start goes with them. */
static int
flush_names(int spool)
{
	int parent = openat(spool, "..", DIRECTORY), r;

	r = fsync(spool);
	if (parent < 0 || fsync(parent) != 0)
		r = -1;
	if (r != 0)
		log_warn("cannot flush the directory of the spool to disk");
	if (parent >= 0)
		close(parent);
	return r;
}

int
spool_tree_make(const char *spool, const struct process_ids *ids)
{
	int fd = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	const struct process_ids *queue = process_ids_find(ids, "queue");

	if (fd < 0) {
		log_warn("cannot open the spool %s", spool);
		return -1;
	}
	for (size_t i = 0; i < sizeof queue_directories / sizeof *queue_directories && r == 0;
	     i++)
		r = make_and_close(
		    fd, queue_directories[i].name, queue, queue_directories[i].mode);
	if (r == 0)
		r = make_socket_directories(fd, ids);
	if (r == 0)
		r = flush_names(fd);
	close(fd);
	return r;
}
