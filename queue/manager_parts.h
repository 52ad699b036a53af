/*
 * manager_parts: what manager.c (frame and wiring), manager_act.c (the administrator's
 * acts), dispatch.c (resolve and send) and outcome.c (what comes of it) share and
 * nobody else sees.
 */
#ifndef QUEUE_MANAGER_PARTS_H
#define QUEUE_MANAGER_PARTS_H

#include <event2/event.h>

#include "common/clock.h"
#include "common/peer.h"
#include "queue/manager.h"
#include "queue/reporter.h"
#include "queue/section_names.h"

struct manager {
	struct event_base *base;
	const struct config *config;
	const struct manager_ops *ops;
	void *arg;
	struct store *store;
	struct scheduler *scheduler;
	struct agents *agents;
	struct own_writer *own;	     /* into the queue's own segments */
	struct compactor *compactor; /* NULL while the store is being opened */
	struct reporter *reporter;   /* NULL while the store is being opened */
	struct envelope_cache *envelopes;
	struct section_names *sections; /* what recipient.section means */
	struct peer *directory;
	struct event *tick, *pump, *stop_timer;
	struct clock_steady clock; /* for ages */
	uint64_t longest;	   /* interval between attempts that is configured anywhere */
	unsigned resolving;	   /* questions the directory has not answered */
	bool timed;		   /* the scheduler knows the time of this turn of the loop */
	bool stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
	struct buf content; /* of the job being sent */
};

/* The pump runs at the end of this turn of the loop: time, questions, jobs. arg is the manager. */
void dispatch_soon(struct manager *m);
void dispatch_on_pump(evutil_socket_t fd, short what, void *arg);

/*
 * Something has happened: what the scheduler is told now counts from now, the same moment for all of this turn
 * of the loop. Intervals begin when an attempt ends, however long ago the pump ran.
 */
void dispatch_set_time(struct manager *m);

extern const struct agents_ops dispatch_agents_ops;

/*
 * Puts a recipient that is in no list off for a while without a record or an attempt: after a restart it is
 * tried at once anyway.
 */
void dispatch_put_off(struct manager *m, struct recipient *r, uint64_t ms);

/* An attempt has come to a verdict. */
struct outcome {
	const struct verdict *verdict;
	struct span mta;	 /* host that gave it, empty: decided here */
	struct span destination; /* where it was sent, empty: it was not resolved */
	bool reached;		 /* the destination was */
	bool dsn;		 /* whoever took it sends the reports its sender asked for */
	bool local;
};

/* Records it, schedules what follows. The recipient is in no list and has no destination any more. */
void outcome_conclude(struct manager *m, struct recipient *r, const struct outcome *o);

/* For scheduler_sweep: a parked one may have become too old, or late enough for a warning. arg is the manager. */
void outcome_on_parked(struct recipient *r, void *arg);

/* Something has changed that its sender may have to hear of. */
void outcome_report(struct manager *m, struct message *msg);

/* The line in the log about what became of a recipient. */
void outcome_log(
    const struct recipient *r, const char *what, const struct verdict *v, struct span mta);

#endif
