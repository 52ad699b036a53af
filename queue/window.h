/*
 * window: how many jobs one destination is given at a time, learned from how they
 * end, and when to stop giving it any. Pure; used by queue/destination.
 *
 * A job that reached the destination adds 1/n to a window of n, one that did not takes 1/n
 * away: a whole window of them moves it by one place. It never falls below one place: a host
 * that answers one time in three still gets its mail. What makes a destination dead is failure
 * without a single success in between, two whole windows of it (WINDOW_COHORTS).
 */
#ifndef QUEUE_WINDOW_H
#define QUEUE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_START   5
#define WINDOW_COHORTS 2

struct window {
	uint32_t size;	 /* thousandths of a place */
	uint32_t failed; /* thousandths of a window that failed since the last success */
	uint32_t cap;	 /* places */
};

/* A window at its start: WINDOW_START places, or cap (> 0) if that is fewer. */
void window_init(struct window *w, uint32_t cap);

/* Another cap, which holds at once; what was learned stays as far as it fits. */
void window_set_cap(struct window *w, uint32_t cap);

/* Jobs that may be under way at a time: 1 to cap. */
uint32_t window_places(const struct window *w);

/*
 * A job has reached the destination, while `active` jobs (this one among them) were under way. The
 * window grows only when it is in use: quiet years are no proof that twenty at once are welcome.
 */
void window_succeed(struct window *w, uint32_t active);

/* A job has not. True if the destination is to be taken for dead. */
bool window_fail(struct window *w);

#endif
