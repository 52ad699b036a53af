/*
 * blocking: connect and write for programs that wait. See blocking.h. Called by
 * sendmail_* and control_client.
 */
#include "queue/blocking.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static void
set_timeout(int fd, int option, unsigned seconds)
{
	struct timeval tv = {.tv_sec = seconds};

	setsockopt(fd, SOL_SOCKET, option, &tv, sizeof tv);
}

int
blocking_connect(const char *path, unsigned seconds)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd, saved;

	if (strlen(path) >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	set_timeout(fd, SO_SNDTIMEO, seconds);
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

void
blocking_set_receive_timeout(int fd, unsigned seconds)
{
	set_timeout(fd, SO_RCVTIMEO, seconds);
}

int
blocking_write(int fd, struct span octets)
{
	while (octets.len > 0) {
		ssize_t n = write(fd, octets.p, octets.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		octets = span_skip(octets, (size_t)n);
	}
	return 0;
}
