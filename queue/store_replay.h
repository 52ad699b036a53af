/*
 * store_replay: the journal's records, applied (doc/SPOOL.md, "Journal"); what
 * writes them is store_record. Pure but for the objects it changes: no I/O.
 *
 * A checkpoint may know of records that stand in the log behind it: applied to what they have
 * already made they change nothing.
 */
#ifndef QUEUE_STORE_REPLAY_H
#define QUEUE_STORE_REPLAY_H

#include "common/idmap.h"
#include "queue/journal.h"
#include "queue/message_map.h"
#include "queue/pauses.h"
#include "queue/segment_pool.h"

/* Where the journal says that a message stands. */
struct replay_place {
	uint64_t segment, generation;
	bool large;
};

/*
 * What a replay has rebuilt so far: messages by number. One without a
 * segment stands for a message whose segment is gone: places has where it stood.
 */
struct replay {
	struct segment_pool *pool; /* NULL: no segment is known */
	struct atom_table *atoms;
	struct pauses *pauses;
	struct message_map *messages;
	struct idmap places; /* struct replay_place by the number of the message */
	uint64_t generation;
	struct message_given *given; /* room for the recipients of one message */
	uint32_t given_cap;
	unsigned malformed; /* records that could not be understood */
};

/* Applies one record. arg is a struct replay. */
void replay_record(struct span record, void *arg);

/* Frees what it holds of its own. */
void replay_release(struct replay *rp);

#endif
