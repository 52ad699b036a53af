/*
 * spool_instance: the number that tells a spool's files from any other's
 * (doc/SPOOL.md): journal/instance, and in every header and checksum.
 */
#ifndef QUEUE_SPOOL_INSTANCE_H
#define QUEUE_SPOOL_INSTANCE_H

#include <stdint.h>

/* Reads it. 0, or -1 with errno: ENOENT, EINVAL if the file does not say a number. */
int spool_instance_read(int journalfd, uint64_t *instance);

/* The number that most of the files in segments/ and large/ bear, 0 if there is none with an intact header. */
uint64_t spool_instance_of_segments(int spoolfd);

/*
 * Reads it, or makes it at the first start. A file that is gone or says nothing is written again from what the
 * segments say (a damaged one goes to corruptfd): without it every message would be a stranger's. 0, or -1 with errno.
 */
int spool_instance_obtain(int spoolfd, int journalfd, int corruptfd, uint64_t *instance);

#endif
