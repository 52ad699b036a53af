/*
 * spool_secret: a secret that stays. See spool_secret.h. Called once by postriderd before it
 * gives up its rights. The file appears whole, by rename: a crash leaves it or nothing.
 */
#include "common/spool_secret.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

#define NAME "secret"
#define NEW  "secret.new"

/* Is it a file of ours that nobody else reads, and as long as it should be? */
static bool
read_secret(int spool, unsigned char out[SPOOL_SECRET_SIZE])
{
	int fd = openat(spool, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	bool good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_uid == geteuid() && (st.st_mode & 077) == 0 &&
		    st.st_size == SPOOL_SECRET_SIZE &&
		    read(fd, out, SPOOL_SECRET_SIZE) == SPOOL_SECRET_SIZE;

	if (fd >= 0)
		close(fd);
	return good;
}

static bool
write_secret(int spool, const unsigned char secret[SPOOL_SECRET_SIZE])
{
	int fd;
	bool good;

	unlinkat(spool, NEW, 0);
	fd = openat(spool, NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	good = fd >= 0 && write(fd, secret, SPOOL_SECRET_SIZE) == SPOOL_SECRET_SIZE &&
	       fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return good && renameat(spool, NEW, spool, NAME) == 0 && fsync(spool) == 0;
}

void
spool_secret_obtain(const char *spool, unsigned char out[SPOOL_SECRET_SIZE])
{
	int fd = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && read_secret(fd, out)) {
		close(fd);
		return;
	}
	if (getrandom(out, SPOOL_SECRET_SIZE, 0) != SPOOL_SECRET_SIZE)
		fatal("getrandom");
	if (fd < 0 || !write_secret(fd, out))
		log_warn(
		    "cannot keep %s/" NAME ", it is another one after the next start", spool);
	if (fd >= 0)
		close(fd);
}
