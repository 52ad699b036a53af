/*
 * scheduler: what is tried when, and in which order (doc/SCHEDULING.md). Pure:
 * clock and objects in, "resolve this, send these, sleep until" out; no I/O, no
 * journal. The time is what it was told last (monotonic milliseconds).
 *
 *	DEFERRED ──time──► DUE ──► resolver ──► WAITING in its destination's list ──► ACTIVE in a job
 *
 * Sender domains take turns at the resolver and at each destination (queue/waitlist), destinations take turns
 * at their agents, and a destination is given what it can take (queue/destination). What is paused
 * or does not answer keeps its recipients PARKED in its list. No step costs more when more waits.
 */
#ifndef QUEUE_SCHEDULER_H
#define QUEUE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "conf/config.h"
#include "queue/destination.h"
#include "queue/message.h"
#include "queue/pauses.h"

struct scheduler;

/* config is borrowed until scheduler_set_config names another. */
struct scheduler *scheduler_new(const struct config *config, uint64_t now_ms);
void scheduler_free(struct scheduler **s);
void scheduler_set_config(struct scheduler *s, const struct config *config);

/* The time goes on: those whose time has come are DUE now (some hundreds at a time), destinations wake. */
void scheduler_tick(struct scheduler *s, uint64_t now_ms);

/* Just the time: for what is put off, and ends, before the next tick. */
void scheduler_set_now(struct scheduler *s, uint64_t now_ms);

/* How many milliseconds until scheduler_tick has something to do; UINT64_MAX: not by time alone. */
uint64_t scheduler_wait(const struct scheduler *s);

/* The recipient (in no list) is to be resolved as soon as its turn comes: DUE, or PARKED if its sender is paused. */
void scheduler_add_due(struct scheduler *s, struct recipient *r);

/* The next one to resolve, now RESOLVING; NULL if there is none. */
struct recipient *scheduler_next_due(struct scheduler *s);

/* The recipient (in no list, state DEFERRED) becomes DUE in so many milliseconds. */
void scheduler_add_deferred(struct scheduler *s, struct recipient *r, uint64_t in_ms);

/* Puts a resolved recipient into its destination's list: WAITING or PARKED. */
void scheduler_add_waiting(
    struct scheduler *s, struct recipient *r, enum agent_kind kind, struct span destination);

/*
 * The next job for an agent of this kind: up to max recipients of one message at one destination, now ACTIVE. places:
 * how many jobs the agents of this kind still take. Returns how many, 0 if nothing may be sent. Each job ends
 * with scheduler_end_job.
 */
size_t scheduler_next_job(struct scheduler *s, enum agent_kind kind, unsigned places,
    struct recipient **out, size_t max);

/*
 * A job to this destination has ended; its recipients have another state by now. why: the verdict of one that
 * did not reach it; delivered: how many of its recipients were. Says what it changed: for the log.
 */
enum destination_change scheduler_end_job(struct scheduler *s, struct destination *d,
    enum job_end end, const struct verdict *why, uint32_t delivered);

/* Takes a recipient out of whatever list it is in (DUE, WAITING, PARKED, DEFERRED; no other state). */
void scheduler_forget(struct scheduler *s, struct recipient *r);

/* Is it in one of those states? */
bool scheduler_has(const struct recipient *r);

/* Asked for by name: a DEFERRED one is DUE, and its destination, if dead, is probed with it now. */
void scheduler_hurry(struct scheduler *s, struct recipient *r);

/*
 * Looks after what is parked: after a pause, a failed probe, and every ten minutes, visit is called for each
 * recipient PARKED, in slices (true: call again soon). It may take out (scheduler_forget) that one.
 */
bool scheduler_sweep(
    struct scheduler *s, void (*visit)(struct recipient *r, void *arg), void *arg);

/*
 * A pause begins, or ends: of a destination (by name, local or remote, or by the domain of recipients whose mail goes
 * by another next hop), or of a sender domain. Names in any case of letters.
 */
void scheduler_pause(struct scheduler *s, enum pause_kind kind, struct span name);
void scheduler_continue(struct scheduler *s, enum pause_kind kind, struct span name);

/* The destination a recipient waits for or is on its way to, or NULL. */
struct destination *scheduler_destination_of(const struct recipient *r);

/*
 * When it can be tried next, in milliseconds from now: 0 as soon as there is room, UINT64_MAX if that is not
 * known (paused, held, under way already, done).
 */
uint64_t scheduler_next_time(const struct recipient *r, uint64_t now_ms);

/*
 * Appends why it is not tried before (one line, for people); now_ms and wall (seconds since 1970) are
 * the same moment. destination_…: what holds for all mail of one, nothing if it just works.
 */
void scheduler_explain(
    const struct recipient *r, uint64_t now_ms, int64_t wall, struct buf *out);
void scheduler_explain_destination(
    const struct destination *d, uint64_t now_ms, int64_t wall, struct buf *out);

/* All destinations that have mail or are dead, one after the other (as idmap_next). */
struct destination *scheduler_next_destination(const struct scheduler *s, size_t *at);

/* The one of that name (detour: see queue/destination.h), with or without mail; NULL if nothing is known of it. */
struct destination *scheduler_find_destination(
    const struct scheduler *s, enum agent_kind kind, struct span name, bool detour);

size_t scheduler_count_due(const struct scheduler *s);
size_t scheduler_count_deferred(const struct scheduler *s);

#endif
