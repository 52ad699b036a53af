/*
 * dial: non-blocking connections to the server under test, from one or from
 * many loopback addresses. Shared by the programs that load a server.
 */
#ifndef TESTS_BENCH_DIAL_H
#define TESTS_BENCH_DIAL_H

#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

/* Raises the limit of descriptors to what is allowed; ends the program (71) below `need`. */
static inline void
dial_raise_limit(uint64_t need)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		err(71, "getrlimit");
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		err(71, "setrlimit");
	if (rl.rlim_cur != RLIM_INFINITY && rl.rlim_cur < need + 16)
		errx(71, "%llu connections need more descriptors than ulimit -Hn allows (%llu)",
		    (unsigned long long)need, (unsigned long long)rl.rlim_cur);
}

/*
 * Starts connecting the n-th connection. With sources > 0 it comes from one
 * of that many addresses, 127.0.1.1 and on, in turn: servers limit what one
 * client address may do. Returns the socket, the caller's to close, or -1 if
 * the connection was refused at once. Lack of a resource ends the program.
 */
static inline int
dial(const struct sockaddr_in *to, uint64_t n, uint64_t sources)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		err(71, "socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (sources > 0) {
		uint32_t s = (uint32_t)(n % sources);

		from.sin_addr.s_addr = htonl(0x7f000101u + ((s / 250) << 8) + s % 250);
		/* Choose the port at connect(): then only pairs of addresses need differ. */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == -1)
			err(71, "bind to 127.0.%u.%u", 1 + s / 250, 1 + s % 250);
	}
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == -1 &&
	    errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Zero once connect() on fd has succeeded, else its error. */
static inline int
dial_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return errno;
	return error;
}

#endif
