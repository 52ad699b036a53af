/*
 * store_parts: what store.c, store_intake.c and store_recover.c share and nobody else sees.
 */
#ifndef QUEUE_STORE_PARTS_H
#define QUEUE_STORE_PARTS_H

#include <event2/event.h>

#include "common/atom.h"
#include "common/idmap.h"
#include "queue/journal.h"
#include "queue/message_map.h"
#include "queue/pauses.h"
#include "queue/spool_envelope.h"
#include "queue/spool_scan.h"
#include "queue/store.h"

struct store {
	const struct store_ops *ops;
	void *arg;
	struct segment_pool *pool;
	struct journal *journal;
	struct pauses pauses;
	struct atom_table *atoms;    /* reverse-paths, reasons, hosts */
	struct message_map messages; /* every message in the queue */
	struct idmap gone;	     /* while searching: those known to be settled */
	struct idmap missing;	     /* during recovery: those whose segment is gone */
	struct store_counts counts;
	struct event *reaper, *orphans;
	struct message **done; /* to be freed at the end of the turn */
	size_t ndone, done_cap;
	int spoolfd, journalfd, corruptfd;
	uint64_t instance;
	bool said_room, stopped; /* stopped: store_may_dispatch said no */
	bool searching; /* recovery: part of the journal is lost, what segments hold counts */
};

/* What tests make smaller; 0: as usual. */
struct store_limits {
	uint64_t checkpoint_minimum, checkpoint_at_once;
	size_t journal_buffer;
};

/* store_open, with other limits. */
struct store *store_open_limited(struct event_base *base, int spoolfd, uint64_t segment_size,
    const struct store_limits *limits, const struct store_ops *ops, void *arg);

extern const struct journal_ops store_journal_ops;
extern const struct segment_pool_ops store_pool_ops;

/* A record becomes a message in memory, counted in its segment. NULL if it is known already or not understood. */
struct message *store_add_record(struct store *s, struct spool_segment *seg, uint64_t offset,
    const struct spool_record *r, struct span envelope);

/* The message stands there now, and is counted there. */
void store_place(struct message *m, struct spool_segment *seg, uint64_t offset);

/* A copy in a segment of our own is durable: it is the message's place from now on, if the message is still in the queue. */
void store_take_copy(
    struct store *s, struct spool_segment *seg, uint64_t offset, const struct spool_record *r);

/*
 * A record found by recovery: if it is of a message that has no place otherwise, the message stands there now, not yet
 * counted, and is returned. Else NULL.
 */
struct message *store_recover_place(
    struct store *s, struct spool_segment *seg, uint64_t offset, const struct spool_record *r);

/* A record of a kind we do not know: the segment is copied to corrupt/, once, and never recycled. */
void store_keep_unknown(struct store *s, struct spool_segment *seg);

/* Something in a segment is not as it was written: it is copied to corrupt/, once, and never recycled. */
void store_set_aside(struct store *s, struct spool_segment *seg, const char *reason);

/* Damaged records in a segment: it is copied to corrupt/, once, and never recycled. */
void store_report_damage(
    struct store *s, struct spool_segment *seg, const struct spool_scan_result *r);

void store_reap(evutil_socket_t fd, short what, void *arg);

#endif
