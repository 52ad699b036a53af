/*
 * waitlist: recipients that wait for one thing, the resolver or a destination, in fair
 * order. Sender domains take turns (deficit round robin: who sends much at once
 * sits out the turns it used up), and of one sender domain the messages take turns,
 * a job each: another's one message is behind a single job, however long the list,
 * and small mail passes a list's last thousand. What was tried before and what was not take turns
 * there, too, so that a wave of retries does not delay new mail, nor new mail them. Pure; used by queue/scheduler.
 *
 *	waitlist ─► lane (a sender domain) ─► batch (a message) ─► recipients
 *
 * A lane is stopped while its list is (a destination that does not answer or is paused) or its
 * sender domain is paused. What stands in a stopped lane is PARKED, not WAITING: nothing is under
 * way for it. Each step costs the same however many wait.
 */
#ifndef QUEUE_WAITLIST_H
#define QUEUE_WAITLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/hash.h"
#include "queue/message.h"

TAILQ_HEAD(lane_list, lane);

struct waitlist {
	struct destination *destination; /* NULL: the resolver's */
	struct lane_list ready;		 /* lanes in turn */
	struct lane_list paused;	 /* those whose sender domain is paused */
	uint32_t n, nready;		 /* recipients, and those in ready lanes */
	bool stopped;
};

struct sender {
	char *domain; /* "" for the null reverse-path */
	struct lane_list lanes;
	bool paused;
};

TAILQ_HEAD(batch_list, batch);

struct lane {
	TAILQ_ENTRY(lane) turn; /* in its list */
	TAILQ_ENTRY(lane) same; /* in its sender's list */
	TAILQ_ENTRY(lane) sweep;
	struct {
		struct waitlist *list;
		struct sender *sender;
	} key;
	struct batch_list batches[2]; /* new ones, and those tried before */
	struct batch *cursor;	      /* where the sweep goes on */
	uint32_t n;		      /* recipients */
	uint32_t debt;		      /* tenths of a turn to sit out */
	bool swept;		      /* is in the list of those to sweep */
	bool retries; /* it is the turn of those tried before, if there are any */
};

struct batch {
	TAILQ_ENTRY(batch) turn; /* in its lane */
	struct {
		struct waitlist *list;
		struct message *message;
	} key;
	struct lane *lane;
	TAILQ_HEAD(, recipient) recipients;
	uint32_t n;
	bool shared; /* in the hash: further recipients of its message may join */
	bool retry;  /* the recipient it began with was tried before */
};

/* What all lists have in common. */
struct waitlist_set {
	struct hash senders, lanes, batches;
	struct lane_list sweeping;
};

void waitlist_set_init(struct waitlist_set *s);

/* Frees everything in all lists; recipients are left as they are. */
void waitlist_set_release(struct waitlist_set *s);

void waitlist_init(struct waitlist *l, struct destination *d);

/* Puts a recipient that is in no list at its place: in this state, or PARKED where it is stopped. */
void waitlist_add(struct waitlist_set *s, struct waitlist *l, struct recipient *r,
    enum recipient_state state);

/*
 * Takes up to max recipients of the message whose turn it is, in order, their state unchanged;
 * parked ones too (a probe). Returns how many, 0 if none is ready. *cost is what they cost in tenths of a turn:
 * 10, and one for each recipient, and 10 for each MiB. The resolver's list has no costs.
 */
size_t waitlist_take(struct waitlist_set *s, struct waitlist *l, struct recipient **out,
    size_t max, uint32_t *cost);

/* Takes one out. */
void waitlist_remove(struct waitlist_set *s, struct recipient *r);

/* Its message is the next one to be taken (unless its sender is paused). */
void waitlist_promote(struct recipient *r);

/* The list in which it stands, and its sender domain. */
struct waitlist *waitlist_of(const struct recipient *r);
const struct sender *waitlist_sender(const struct recipient *r);

/* Stops a list or lets it go on; stopping begins a sweep. */
void waitlist_set_stopped(struct waitlist_set *s, struct waitlist *l, bool stopped);

/*
 * Pauses a sender domain (canonical), or lets it go on, in all lists and in those it will join. Returns
 * it, in whose lanes something changed; NULL if none waits.
 */
const struct sender *waitlist_pause_sender(struct waitlist_set *s, struct span domain);
const struct sender *waitlist_continue_sender(struct waitlist_set *s, struct span domain);

/* The domain of a reverse-path. */
struct span waitlist_domain_of(const char *from);

/* Sweeps what is stopped in this list (once more). */
void waitlist_sweep_begin(struct waitlist_set *s, struct waitlist *l);

/*
 * Goes on with the sweeps: calls visit for about `budget` recipients of stopped lanes, now PARKED; visit
 * may take that one out. True if there is more to do.
 */
bool waitlist_sweep(struct waitlist_set *s, unsigned budget,
    void (*visit)(struct recipient *r, void *arg), void *arg);

#endif
