/*
 * wheel: coarse timers for thousands of sessions: one event, one tick, and
 * nothing to do when a deadline moves away. An entry whose deadline grew is put
 * back when its slot comes by, so moving it costs a comparison and no system call.
 *
 * A deadline is met up to WHEEL_TICK_MS late and never early.
 */
#ifndef SMTPD_WHEEL_H
#define SMTPD_WHEEL_H

#include <event2/event.h>
#include <stdint.h>
#include <sys/queue.h>

#define WHEEL_TICK_MS 50
#define WHEEL_SLOTS   256 /* a power of two */

struct wheel_entry {
	LIST_ENTRY(wheel_entry) link;
	uint64_t deadline; /* milliseconds of the monotonic clock */
	uint64_t slot_at;  /* when its slot comes by; 0: not in the wheel */
};

struct wheel {
	LIST_HEAD(, wheel_entry) slots[WHEEL_SLOTS];
	struct event *tick;
	uint64_t now_tick; /* ticks done */
	unsigned count;
	uint64_t (*clock)(void);
	void (*on_time)(struct wheel_entry *e, void *arg);
	void *arg;
};

/*
 * clock gives milliseconds. on_time is called when an entry's deadline has passed; the
 * entry is out of the wheel then and may be set again or freed.
 */
void wheel_init(struct wheel *w, struct event_base *base, uint64_t (*clock)(void),
    void (*on_time)(struct wheel_entry *e, void *arg), void *arg);

/* Frees the event. Entries belong to their owners, who have cancelled them. */
void wheel_release(struct wheel *w);

/* Sets the deadline of an entry (zeroed before its first use), in the wheel or not. */
void wheel_set(struct wheel *w, struct wheel_entry *e, uint64_t deadline);

/* Takes it out. Fine if it is not in. */
void wheel_cancel(struct wheel *w, struct wheel_entry *e);

#endif
