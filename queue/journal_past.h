/*
 * journal_past: what earlier lives left in journal/: finding the newest whole
 * checkpoint, replaying it and the logs after it, and removing what a newer one
 * replaces. Reads whole files; called at the start, and after a checkpoint.
 */
#ifndef QUEUE_JOURNAL_PAST_H
#define QUEUE_JOURNAL_PAST_H

#include <stdint.h>

#include "queue/journal.h"
#include "queue/journal_file.h"

struct journal_past {
	int dirfd;
	int corruptfd; /* -1: damaged files stay where they are, nothing is changed */
	uint64_t instance;
};

/* What was found of it. */
struct journal_history {
	uint64_t last;	     /* highest number in use, 0 if there is none */
	uint64_t checkpoint; /* the one that was replayed, 0 if there is none */
	/*
	 * Is it all there, from the first record or the checkpoint on? If not, what later records say of how far a
	 * segment is accounted for hides messages that only the missing ones knew: every segment must be searched.
	 */
	bool whole;
	uint64_t checkpoint_size; /* octets of its records, and of all that were replayed */
	uint64_t size;
	uint64_t end; /* of the last log: what the next log is to say of it */
};

/*
 * Goes through the logs that count, in their order, and says what each leaves open. Zeroed, but for checkpoint: the
 * one they are read with, 0 if there is none.
 */
struct journal_chain {
	uint64_t checkpoint;
	uint64_t last; /* the one seen last, 0 if there was none */
	uint64_t end;  /* octets of it that are as they were */
};

enum journal_link {
	JOURNAL_LINK_WHOLE, /* nothing is missing between the one before and this */
	JOURNAL_LINK_NOT_BEGUN, /* nothing was ever written to it, nor to any after it: it does not count */
	JOURNAL_LINK_GAP, /* a log before it is missing */
	JOURNAL_LINK_SHORT, /* of the log before it, or of its own beginning, something is missing */
};

/* The number of the log that comes next. */
uint64_t journal_chain_expected(const struct journal_chain *c);

/* Log number is the next, or newer than that, and r is what it is like; newest: there is none after it. */
enum journal_link journal_chain_add(
    struct journal_chain *c, uint64_t number, const struct journal_file_result *r, bool newest);

/*
 * Calls replay for every record of the newest whole checkpoint and of the logs that count with it; of a damaged
 * log for those that are intact. A damaged file is set aside and reported, if corruptfd says where.
 */
struct journal_history journal_past_replay(
    const struct journal_past *p, journal_replay_fn *replay, void *arg);

/* Calls replay for every intact record of every file up to this number, older ones included: what was known once. Sets nothing aside. */
void journal_past_replay_again(
    const struct journal_past *p, uint64_t upto, journal_replay_fn *replay, void *arg);

/*
 * What was allocated ahead for this log, and not used, is given back: on a full disk it is what
 * lets the next begin.
 */
void journal_past_release_tail(const struct journal_past *p, uint64_t number);

/*
 * Removes the logs and checkpoints below number. What a crash in between leaves is removed next time. True if
 * anything was removed.
 */
bool journal_past_remove_before(const struct journal_past *p, uint64_t number);

/* Removes what is left of checkpoints that were never finished. */
void journal_past_remove_unfinished(const struct journal_past *p);

#endif
