/*
 * spool_io: the system calls by which a writer brings octets to a segment or a
 * large file, and what their errors mean. Called by spool_batch on the commit thread, by
 * spool_large, and for the files of the queue by spool_segment and journal_log.
 */
#ifndef QUEUE_SPOOL_IO_H
#define QUEUE_SPOOL_IO_H

#include <stdbool.h>
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

/* Does a call that failed with this errno mean a disk without room: none left, none for this user, none in this file? */
bool spool_is_full(int error);

/* What the client hears of a file that could not be made, written or flushed for this errno: 452 for want of space, else 451. */
void spool_verdict_of_error(struct verdict *v, int error);

#endif
