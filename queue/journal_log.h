/*
 * journal_log: the log that is being written: its file, allocated ahead, and how
 * far it is on disk. Whole frames come in, in order (journal_frame); what a log
 * that failed did not take is its owner's business (journal).
 */
#ifndef QUEUE_JOURNAL_LOG_H
#define QUEUE_JOURNAL_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/span.h"

/* A log is allocated so many octets at a time. */
#define JOURNAL_LOG_CHUNK (4U << 20)

struct journal_log {
	uint64_t number; /* 0: there was never one */
	int fd;		 /* -1: an earlier life wrote it, or it was never there */
	uint64_t at;	 /* octets of it that are on disk */
	uint64_t
	    first; /* of these its own record, which says how far the log before it counts */
	uint64_t allocated;
};

/*
 * A new file for log number + 1 in directory dirfd, which takes the place of the one before, and names its end. -1 with errno:
 * that stays as it is, and in use.
 */
int journal_log_begin(struct journal_log *l, int dirfd, uint64_t instance);

/* Has nothing been written to it? */
bool journal_log_is_empty(const struct journal_log *l);

/*
 * Writes frames behind what it has, and flushes. 0, or errno: then what it had before is on disk and nothing else is
 * believed of it, and it must not be written to again. May run on a thread of its own.
 */
int journal_log_write(struct journal_log *l, struct span frames);

void journal_log_close(struct journal_log *l);

#endif
