/*
 * worker: one thread that does what blocks (flushes to disk) for an event loop,
 * in the order it was asked. done runs on the loop's thread when run has
 * returned. The two never run at the same time for one task, so a task needs no
 * lock; it must not touch what the loop may change meanwhile.
 */
#ifndef COMMON_WORKER_H
#define COMMON_WORKER_H

#include <event2/event.h>
#include <stdbool.h>

struct worker;

/* Embedded in what is worked on. The caller keeps it alive until done has run. */
struct worker_task {
	void (*run)(struct worker_task *t);  /* on the worker's thread */
	void (*done)(struct worker_task *t); /* on the loop's thread */
	struct worker_task *next;
};

struct worker *worker_new(struct event_base *base);

/* Waits until every task has run; calls the done of each; ends the thread. */
void worker_free(struct worker **w);

void worker_submit(struct worker *w, struct worker_task *t);

/* Waits until everything submitted has run, and calls the done of each. */
void worker_drain(struct worker *w);

#endif
