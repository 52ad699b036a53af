/*
 * destination: one list of the queue, a domain of mailboxes here or a next hop: how
 * many jobs it gets at a time, how often, whether it answers at all. Pure: the time
 * comes in (monotonic milliseconds), nothing goes out. Used by queue/scheduler.
 *
 *	alive ──two windows of failures──► dead ──a job reaches it──► alive, window at its start
 *	                                   │  ▲
 *	                    at probe_at ───┘  └─── the probe, one job, does not reach it:
 *	                                           the next one later (1m, then as retries, at most 30m)
 *
 * Destinations here (AGENT_LOCAL) never die: what fails there is one mailbox.
 */
#ifndef QUEUE_DESTINATION_H
#define QUEUE_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/heap.h"
#include "common/verdict.h"
#include "conf/config_destination.h"
#include "queue/waitlist.h"
#include "queue/meter.h"
#include "queue/rate.h"
#include "queue/window.h"

/* Jobs at once for the mailboxes of one domain, unless configured: they share flushes. */
#define DESTINATION_LOCAL_CONCURRENCY 100

/* Octets; longer names are cut. */
#define DESTINATION_NAME_MAX 640

#define DESTINATION_PROBE_FIRST_MS 60000
#define DESTINATION_PROBE_MAX_MS   (30 * 60000)

enum agent_kind {
	AGENT_LOCAL,
	AGENT_REMOTE,
	AGENT_KINDS,
};

/* How a job ended, as far as its destination is concerned. */
enum job_end {
	JOB_REACHED,	 /* the destination spoke: yes, no, or later, to this mail */
	JOB_NOT_REACHED, /* it could not be told of any mail: DNS, connection, TLS, greeting */
	JOB_LOST,	 /* says nothing about it: the agent died, or took no job */
};

/* What a job's end changed. */
enum destination_change {
	DESTINATION_SAME,
	DESTINATION_DIED,
	DESTINATION_PROBED, /* in vain */
	DESTINATION_REVIVED,
};

struct destination {
	struct waitlist waiting; /* who waits for it */
	const char *name;	 /* as in doc/IPC.md, "destination" */
	char *key;		 /* 'l' or 'r', and the name */
	enum agent_kind kind;
	uint32_t active; /* jobs under way */
	bool paused;	 /* by the administrator */
	bool dead;
	bool probing;
	bool
	    detour; /* no next hop: a list where mail of a paused domain waits (scheduler_pause.c) */
	bool on_turn, is_idle, returning; /* the scheduler's, as the next five */
	TAILQ_ENTRY(destination)
	turn; /* among those that may send, while on_turn or returning */
	TAILQ_ENTRY(destination) idle; /* among those with no mail, while is_idle */
	struct heap_item wake;	       /* in its heap while a time is waited for */
	uint32_t debt;		       /* tenths of a turn to sit out */
	uint8_t level;		       /* of its ring, while on_turn */

	struct window window;
	struct rate rate;
	struct meter delivered;			   /* recipients */
	const struct config_destination *settings; /* NULL: the defaults */
	struct config_intervals retry;		   /* between probes, after the first */
	unsigned probes;			   /* in vain */
	uint64_t failing_since; /* the first failure since it was reached last; 0: none */
	uint64_t failed_at;	/* the last one */
	uint64_t probe_at;	/* while dead */
	struct verdict *last;	/* of the last failure, NULL once it was reached again */
};

/* The first octet of its key. */
char destination_key(enum agent_kind kind, bool detour);

/* A destination nothing is known of. settings and intervals are borrowed from c until destination_configure. */
struct destination *destination_new(enum agent_kind kind, struct span name, bool detour,
    const struct config *c, uint64_t now_ms);
void destination_free(struct destination **d);

/* The configuration has changed. */
void destination_configure(struct destination *d, const struct config *c, uint64_t now_ms);

/* May a job begin now? And if only time is missing: when; else UINT64_MAX. */
bool destination_may_send(const struct destination *d, uint64_t now_ms);
uint64_t destination_wake_at(const struct destination *d, uint64_t now_ms);

/* Jobs at once, as it is now. */
uint32_t destination_places(const struct destination *d);

void destination_begin_job(struct destination *d, uint64_t now_ms);

/* why (may be NULL): the verdict of a job that did not reach it. */
enum destination_change destination_end_job(
    struct destination *d, enum job_end end, const struct verdict *why, uint64_t now_ms);

/* If it is dead: may be probed at once. */
void destination_probe_now(struct destination *d, uint64_t now_ms);

#endif
