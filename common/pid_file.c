/* pid_file: see pid_file.h. */
#include "common/pid_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

int
pid_file_write(const char *path)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	struct stat st;
	int r = -1;

	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		log_warnx("the pid file %s is not a regular file", path);
	else if (fd < 0 || fchmod(fd, 0644) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		log_warn("cannot write the pid file %s", path);
	else
		r = 0;
	if (fd >= 0)
		close(fd);
	return r;
}

void
pid_file_remove(const char *path)
{
	if (unlink(path) != 0)
		log_warn("cannot remove the pid file %s", path);
}
