/*
 * wheel: coarse timers. See wheel.h. Slot n holds the entries that are looked at
 * when tick n (modulo the number of slots) comes by; a deadline further away than
 * one turn waits in the last slot of the turn and is put on from there.
 */
#include "smtpd/wheel.h"

#include <stddef.h>

#include "common/log.h"

static void on_tick(evutil_socket_t, short, void *);

void
wheel_init(struct wheel *w, struct event_base *base, uint64_t (*clock)(void),
    void (*on_time)(struct wheel_entry *e, void *arg), void *arg)
{
	*w = (struct wheel){.clock = clock, .on_time = on_time, .arg = arg};
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		LIST_INIT(&w->slots[i]);
	w->now_tick = clock() / WHEEL_TICK_MS;
	w->tick = event_new(base, -1, EV_PERSIST, on_tick, w);
	if (w->tick == NULL)
		fatalx("cannot make a timer");
}

void
wheel_release(struct wheel *w)
{
	if (w->tick != NULL)
		event_free(w->tick);
	w->tick = NULL;
}

/* Puts e in the slot of its deadline, or in the furthest there is. */
static void
insert(struct wheel *w, struct wheel_entry *e)
{
	uint64_t tick = e->deadline / WHEEL_TICK_MS + 1;

	if (tick <= w->now_tick)
		tick = w->now_tick + 1;
	if (tick >= w->now_tick + WHEEL_SLOTS)
		tick = w->now_tick + WHEEL_SLOTS - 1;
	e->slot_at = tick * WHEEL_TICK_MS;
	LIST_INSERT_HEAD(&w->slots[tick % WHEEL_SLOTS], e, link);
}

void
wheel_set(struct wheel *w, struct wheel_entry *e, uint64_t deadline)
{
	e->deadline = deadline;
	if (e->slot_at != 0 && e->slot_at <= deadline + WHEEL_TICK_MS)
		return; /* looked at in time as it is */
	if (e->slot_at != 0)
		LIST_REMOVE(e, link);
	else if (w->count++ == 0) {
		/* The wheel stood still: what passed meanwhile held no entry. */
		w->now_tick = w->clock() / WHEEL_TICK_MS;
		event_add(w->tick, &(struct timeval){0, WHEEL_TICK_MS * 1000});
	}
	insert(w, e);
}

void
wheel_cancel(struct wheel *w, struct wheel_entry *e)
{
	if (e->slot_at == 0)
		return;
	LIST_REMOVE(e, link);
	e->slot_at = 0;
	if (--w->count == 0)
		event_del(w->tick);
}

/*
 * One slot. on_time may set or cancel any entry, so the list is taken from its
 * head until nothing in it is due; entries put back go to other slots.
 */
static void
turn(struct wheel *w, uint64_t now)
{
	struct wheel_entry *e;

	while ((e = LIST_FIRST(&w->slots[w->now_tick % WHEEL_SLOTS])) != NULL) {
		LIST_REMOVE(e, link);
		if (e->deadline > now) {
			insert(w, e);
			continue;
		}
		e->slot_at = 0;
		if (--w->count == 0)
			event_del(w->tick);
		w->on_time(e, w->arg);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct wheel *w = arg;
	uint64_t now = w->clock(), end = now / WHEEL_TICK_MS;

	(void)fd, (void)what;
	/* After a long pause (a suspended machine) one turn visits every entry. */
	if (end > w->now_tick + WHEEL_SLOTS)
		w->now_tick = end - WHEEL_SLOTS;
	while (w->now_tick < end) {
		w->now_tick++;
		turn(w, now);
	}
}
