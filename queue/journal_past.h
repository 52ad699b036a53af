/*
 * journal_past: what earlier lives left in journal/: finding the newest whole
 * checkpoint, replaying it and the logs after it, and removing what a newer one
 * replaces. Reads whole files; called at the start, and after a checkpoint.
 */
#ifndef QUEUE_JOURNAL_PAST_H
#define QUEUE_JOURNAL_PAST_H

#include <stdint.h>

#include "queue/journal.h"

struct journal_past {
	int dirfd, corruptfd;
	uint64_t instance;
};

/* "0000000007.log"; suffixes are .log, .ckpt, .ckpt.new. Returns out. */
#define JOURNAL_NAME_SIZE 32
const char *journal_file_name(uint64_t n, const char *suffix, char out[JOURNAL_NAME_SIZE]);

/*
 * Calls replay for every record of the newest whole checkpoint and of the logs that count with it. A damaged file
 * is set aside and reported. Returns the highest number in use, 0 if there is none.
 */
uint64_t journal_past_replay(
    const struct journal_past *p, journal_replay_fn *replay, void *arg);

/*
 * What was allocated ahead for this log, and not used, is given back: on a full disk it is what
 * lets the next begin.
 */
void journal_past_release_tail(const struct journal_past *p, uint64_t number);

/* Removes the files that checkpoint number replaces. What a crash in between leaves is removed next time. */
void journal_past_remove_before(const struct journal_past *p, uint64_t number);

#endif
