/*
 * agents: the delivery agents connected to the queue manager (doc/IPC.md, "queue
 * and its agents"), the jobs they have, and the verdicts they answer. An agent
 * that dies has answered nothing: its jobs come back as lost.
 */
#ifndef QUEUE_AGENTS_H
#define QUEUE_AGENTS_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/buf.h"
#include "queue/scheduler.h"
#include "queue/spool_envelope.h"

struct agents;

/* What an agent says of one recipient. */
struct agents_verdict {
	struct verdict verdict;
	struct span mta; /* host that said so, or empty */
	bool reached;	 /* false: the destination could not be told of any mail */
	bool dsn;	 /* whoever took it sends the reports its sender asked for */
};

struct agents_ops {
	/* An agent of this kind can take (more) jobs. */
	void (*on_ready)(enum agent_kind kind, void *arg);
	void (*on_verdict)(struct recipient *r, const struct agents_verdict *v, void *arg);
	/* The agent died, or answered without naming this recipient. */
	void (*on_lost)(struct recipient *r, void *arg);
	/*
	 * The job is over: all its recipients have been named above. why: a verdict, if it did not reach the
	 * destination, else NULL; delivered: how many recipients were.
	 */
	void (*on_end)(struct destination *d, enum job_end end, const struct verdict *why,
	    uint32_t delivered, void *arg);
};

struct agents *agents_new(struct event_base *base, const struct agents_ops *ops, void *arg);
void agents_free(struct agents **a);

/* Serves this listening descriptor (taken): name is local/queue or remote/queue; agents connect as uid. */
void agents_listen(struct agents *a, int fd, const char *name, uid_t uid);

/* How many jobs of this kind may be sent now. */
unsigned agents_places(const struct agents *a, enum agent_kind kind);

/* What a job carries of its message, besides what is in memory. */
struct agents_content {
	struct span text;		 /* what travels inline */
	int fd;				 /* or the file it is in (taken); -1: it is inline */
	uint64_t offset;		 /* where it begins in the file */
	const struct envelope *envelope; /* NULL: it has nothing of RFC 3461 */
};

/* Sends recipients (n > 0, of one message and one destination) as a job. 0, or -1 if no agent took it. */
int agents_send(struct agents *a, enum agent_kind kind, struct recipient *const *recipients,
    size_t n, const struct agents_content *content);

/* Jobs under way, and agents connected, of this kind. */
unsigned agents_jobs(const struct agents *a, enum agent_kind kind);
unsigned agents_count(const struct agents *a, enum agent_kind kind);

#endif
