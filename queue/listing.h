/*
 * listing: one frame of the queue manager's answer to `list` and `show` (doc/IPC.md,
 * "control to queue") as a table of messages and their recipients. Used by mailq and by
 * postrider queue. Pure.
 */
#ifndef QUEUE_LISTING_H
#define QUEUE_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire.h"

struct listing_recipient {
	uint64_t entry;
	struct span address, state, destination;
	uint64_t attempts;
	int64_t next; /* seconds since 1970, 0: no time set */
	bool future;  /* that is when its sender wants it released (RFC 4865) */
	uint64_t code;
	struct span status, text, mta; /* of the last attempt, empty before the first */
	struct span paused;	       /* what is paused that it waits for, empty: nothing */
	/* with show only */
	struct span why;	      /* why it is tried then */
	bool expanded;		      /* it came of another entry, */
	uint64_t parent;	      /* this one */
	struct span notify, original; /* NOTIFY and ORCPT as given, empty: not given */
};

struct listing_message {
	struct span id, from;
	uint64_t size;
	int64_t received;		      /* seconds since 1970 */
	struct listing_recipient *recipients; /* points into the listing */
	size_t nrecipients;
	bool continued; /* it began in an earlier frame; here are further recipients */
	/* with show only; empty: not said */
	struct span client, helo, auth, uid, envid, ret;
};

struct listing {
	struct listing_message *messages;
	size_t nmessages;
	struct listing_recipient *recipients; /* of all messages, in order */
	size_t nrecipients;
};

/* Reads a frame; spans point into it. -1 if it is malformed. The caller releases. */
int listing_parse(const struct wire_msg *frame, struct listing *l);
void listing_release(struct listing *l);

#endif
