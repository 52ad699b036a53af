/*
 * spool_io: writing and flushing. See spool_io.h. Invariant: success means that
 * every octet was taken; a short write is gone on with, never committed.
 */
#include "queue/spool_io.h"

#include <errno.h>
#include <unistd.h>

int
spool_write_vector(int fd, struct iovec *iov, int n, uint64_t at)
{
	while (n > 0) {
		ssize_t w = pwritev(fd, iov, n, (off_t)at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			errno = w == 0 ? EIO : errno;
			return -1;
		}
		at += (uint64_t)w;
		while (n > 0 && (size_t)w >= iov->iov_len) {
			w -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + w;
			iov->iov_len -= (size_t)w;
		}
	}
	return 0;
}

int
spool_write_at(int fd, const void *p, size_t n, uint64_t at)
{
	struct iovec iov = {(void *)(uintptr_t)p, n};

	return n > 0 ? spool_write_vector(fd, &iov, 1, at) : 0;
}

int
spool_flush(int fd)
{
	int r;

	do {
		r = fdatasync(fd);
	} while (r != 0 && errno == EINTR);
	return r;
}

bool
spool_is_full(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

void
spool_verdict_of_error(struct verdict *v, int error)
{
	if (spool_is_full(error))
		verdict_set(v, VERDICT_TEMPORARY, 452, "4.3.1",
		    "The mail queue is full, try again later");
	else
		verdict_set(v, VERDICT_TEMPORARY, 451, "4.3.0",
		    "The message could not be written to disk, try again later");
}
