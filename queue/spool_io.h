/*
 * spool_io: the system calls by which a writer brings octets to a segment or a
 * large file. Called by spool_batch on the commit thread, and by spool_large.
 */
#ifndef QUEUE_SPOOL_IO_H
#define QUEUE_SPOOL_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/verdict.h"

/* Writes all of it at this offset, whatever the kernel takes at a time. Changes iov. 0, or -1 with errno. */
int spool_write_vector(int fd, struct iovec *iov, int n, uint64_t at);

/* The same for one piece. */
int spool_write_at(int fd, const void *p, size_t n, uint64_t at);

/* fdatasync, again only after EINTR. 0, or -1 with errno: nothing written before is to be believed then. */
int spool_flush(int fd);

/* What the client hears of a write or flush that failed with this errno: 452 for want of space, else 451. */
void spool_verdict_of_error(struct verdict *v, int error);

#endif
