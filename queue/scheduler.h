/*
 * scheduler: what is tried when, and in which order. Pure: clock and objects
 * in, "resolve this, send these, sleep until" out; no I/O, no journal.
 *
 * Every destination (the domain of mailboxes here, or a next hop) has a list of its own and a
 * limit of jobs at a time; destinations take turns, so a long list delays its own mail only.
 */
#ifndef QUEUE_SCHEDULER_H
#define QUEUE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "queue/message.h"

enum agent_kind {
	AGENT_LOCAL,
	AGENT_REMOTE,
	AGENT_KINDS,
};

struct destination {
	TAILQ_ENTRY(destination) turn; /* among those that may send, while on_turn */
	TAILQ_HEAD(recipient_list, recipient) waiting;
	struct scheduler *scheduler;
	char *name;
	enum agent_kind kind;
	uint32_t nwaiting;
	uint32_t active; /* jobs under way */
	bool on_turn;
};

struct scheduler;

/* Jobs at once to one destination, by kind of agent. */
struct scheduler *scheduler_new(const uint32_t concurrency[AGENT_KINDS]);
void scheduler_free(struct scheduler **s);
void scheduler_set_concurrency(struct scheduler *s, const uint32_t concurrency[AGENT_KINDS]);

/* The recipient (state DUE) is to be resolved as soon as may be. */
void scheduler_add_due(struct scheduler *s, struct recipient *r);

/* The next one to resolve, now RESOLVING; NULL if there is none. */
struct recipient *scheduler_next_due(struct scheduler *s);

/* The recipient (state DEFERRED) becomes DUE at this time (monotonic milliseconds). */
void scheduler_add_deferred(struct scheduler *s, struct recipient *r, uint64_t at_ms);

/* Makes those DUE whose time has come. Returns how long until the next, UINT64_MAX if there is none. */
uint64_t scheduler_tick(struct scheduler *s, uint64_t now_ms);

/* Puts a resolved recipient into its destination's list: WAITING. */
void scheduler_add_waiting(
    struct scheduler *s, struct recipient *r, enum agent_kind kind, struct span destination);

/*
 * The next job for an agent of this kind: up to max recipients of one message at one
 * destination, now ACTIVE. Returns how many, 0 if nothing may be sent. Each job ends with scheduler_end_job.
 */
size_t scheduler_next_job(
    struct scheduler *s, enum agent_kind kind, struct recipient **out, size_t max);

/* A job to this destination has ended; its recipients have another state by now. May free d. */
void scheduler_end_job(struct scheduler *s, struct destination *d);

/* Takes a recipient out of whatever list it is in (DUE, WAITING, DEFERRED). */
void scheduler_forget(struct scheduler *s, struct recipient *r);

/* All destinations there are mails for, one after the other (as idmap_next). */
struct destination *scheduler_next_destination(const struct scheduler *s, size_t *at);

size_t scheduler_count_due(const struct scheduler *s);
size_t scheduler_count_deferred(const struct scheduler *s);

/*
 * When to try again after this many attempts: the interval of the schedule (milliseconds, the last
 * one repeats) with up to a tenth of jitter either way, taken from random.
 */
uint64_t scheduler_interval(
    const uint64_t *schedule, size_t n, unsigned attempts, uint32_t random);

#endif
