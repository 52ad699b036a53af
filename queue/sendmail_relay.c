/*
 * sendmail_relay: sendmail -bs. See sendmail_relay.h. Called by sendmail_main.c.
 * Invariant: the end of the input is passed on, the end of the session ends the program.
 */
#include "queue/sendmail_relay.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/span.h"
#include "queue/blocking.h"
#include "queue/sendmail_submit.h"

/* Copies what one read gives. 1, 0 at the end of from, -1 and errno. */
static int
copy_some(int from, int to)
{
	char piece[16384];
	ssize_t n = read(from, piece, sizeof piece);

	if (n < 0)
		return errno == EINTR ? 1 : -1;
	if (blocking_write(to, span_make(piece, (size_t)n)) != 0)
		return -1;
	return n > 0;
}

static int
copy_both(int fd, int in, int out)
{
	struct pollfd pfd[2] = {{.fd = in, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

	for (;;) {
		if (poll(pfd, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return EX_IOERR;
		}
		/* The daemon's words first: after them there may be none to answer. */
		if (pfd[1].revents != 0) {
			int r = copy_some(fd, out);

			if (r <= 0)
				return r == 0 ? 0 : EX_IOERR;
		}
		if (pfd[0].revents != 0 && copy_some(in, fd) <= 0) {
			pfd[0].fd = -1;
			shutdown(fd, SHUT_WR);
		}
	}
}

int
sendmail_relay(const char *path, int in, int out, const char *hostname)
{
	int fd = blocking_connect(path, SENDMAIL_GREETING_TIMEOUT), r;

	if (fd < 0) {
		dprintf(
		    out, "421 4.3.2 %s Service not available, try again later\r\n", hostname);
		return EX_TEMPFAIL;
	}
	r = copy_both(fd, in, out);
	close(fd);
	return r;
}
