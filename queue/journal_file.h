/*
 * journal_file: one file of journal/: its name, its octets, its records. Reads and
 * changes nothing; what to make of a damaged file is its caller's business
 * (queue/journal_past.c at a start, queue/fsck_journal.c for an administrator).
 */
#ifndef QUEUE_JOURNAL_FILE_H
#define QUEUE_JOURNAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/journal.h"

enum journal_file_kind {
	JOURNAL_FILE_LOG,
	JOURNAL_FILE_CHECKPOINT,
};

enum journal_file_state {
	JOURNAL_FILE_WHOLE,
	JOURNAL_FILE_CUT, /* a log whose last write is not all there: nobody was promised what it said */
	JOURNAL_FILE_DAMAGED, /* what was on disk once is not as it was, or cannot be read */
	JOURNAL_FILE_MISSING, /* it cannot be opened: error says why */
};

struct journal_file_result {
	enum journal_file_state state;
	int error;	  /* errno of what could not be opened or read, 0 if all could */
	uint64_t size;	  /* octets, those allocated ahead included */
	uint64_t used;	  /* octets of intact records, with their headers */
	uint64_t records; /* intact ones, the files' own aside */
	uint64_t
	    end; /* offset behind the first so many records that are all intact; of a damaged file that of the damage */
	bool begun;	 /* of a log: its first record is there */
	uint64_t before; /* what that says: so much of the log before it counts */
};

/* "0000000007.log"; suffixes are .log, .ckpt, .ckpt.new. Returns out. */
#define JOURNAL_NAME_SIZE 32
const char *journal_file_name(uint64_t n, const char *suffix, char out[JOURNAL_NAME_SIZE]);

/* The numbers of the files with this suffix, in order; the caller frees. 0 if there is none, or the directory cannot be read. */
size_t journal_file_list(int dirfd, const char *suffix, uint64_t **numbers);

/*
 * Calls replay (unless it is NULL) for every intact record of file number, in order: of a log also for those behind a
 * damaged place, from the next flush on; of a checkpoint those before it. What stands in the result.
 */
void journal_file_read(int dirfd, uint64_t number, enum journal_file_kind kind,
    uint64_t instance, journal_replay_fn *replay, void *arg,
    struct journal_file_result *result);

#endif
