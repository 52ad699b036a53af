/*
 * scheduler_parts: what scheduler.c and scheduler_pause.c share and nobody else sees.
 */
#ifndef QUEUE_SCHEDULER_PARTS_H
#define QUEUE_SCHEDULER_PARTS_H

#include "queue/scheduler.h"

TAILQ_HEAD(destination_list, destination);

/* Rings by how many jobs of a destination are under way: 0, 1 to 2, 3 to 6, 7 to 14 and so on. */
#define SCHEDULER_LEVELS 7

struct scheduler {
	const struct config *config;
	uint64_t now;
	struct heap deferred, wakes;
	struct waitlist_set lists;
	struct waitlist due; /* for the resolver */
	struct hash destinations;
	struct pauses pauses;
	struct destination_list turns[AGENT_KINDS][SCHEDULER_LEVELS];
	struct destination_list returning; /* whose mail goes back to be resolved */
	struct destination_list idle;	   /* without mail, the longest first */
	size_t nidle;
	uint64_t sweep_at;
};

/* To be called after whatever changed of a destination: its places in rings, heap and lists follow. May free it if it is idle. */
void scheduler_update(struct scheduler *s, struct destination *d);

#endif
