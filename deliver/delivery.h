/*
 * delivery: one job of local on its way: the directory is asked where each
 * recipient's mailbox is and whose (never the queue), the recipients of each
 * owner go to that owner's child, the verdicts come together into the answer.
 * Content passes through unread.
 */
#ifndef DELIVER_DELIVERY_H
#define DELIVER_DELIVERY_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/peer.h"
#include "deliver/job.h"
#include "deliver/owner.h"

/* What all deliveries share; owned by local_main. */
struct delivery_env {
	struct event_base *base;
	struct peer *directory;
	struct owner_pool *pool;
	const char *host; /* in file names */
	bool root; /* we may become the owners; else everything is delivered as ourselves */
};

/* Takes the job and finishes it, whatever happens. env must outlive it. */
void delivery_start(const struct delivery_env *env, struct job *j);

#endif
