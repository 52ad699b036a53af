/*
 * sockets: a temporary directory with a Unix socket in it, for the tests of peer
 * and service. Included by tests/unit/test_*.c.
 */
#ifndef TESTS_UNIT_SOCKETS_H
#define TESTS_UNIT_SOCKETS_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/testing.h"

struct sockets {
	char directory[64], path[80];
};

static inline void
sockets_init(struct sockets *s)
{
	const char *top = getenv("TMPDIR");

	snprintf(s->directory, sizeof s->directory, "%s/postrider-unit-XXXXXX",
	    top != NULL ? top : P_tmpdir);
	assert_non_null(mkdtemp(s->directory));
	snprintf(s->path, sizeof s->path, "%s/s", s->directory);
}

static inline void
sockets_release(struct sockets *s)
{
	unlink(s->path);
	assert_int_equal(rmdir(s->directory), 0);
}

static inline struct sockaddr_un
sockets_address(const struct sockets *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memcpy(a.sun_path, s->path, strlen(s->path) + 1);
	return a;
}

/* A listening descriptor at the path, in place of what stood there. */
static inline int
sockets_listen(const struct sockets *s)
{
	struct sockaddr_un a = sockets_address(s);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(s->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

/* A connected descriptor with nothing said yet. */
static inline int
sockets_connect(const struct sockets *s)
{
	struct sockaddr_un a = sockets_address(s);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

#endif
