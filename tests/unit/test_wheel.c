/* test_wheel: deadlines are met, late by a tick at most and never early, however they move. */
#include "smtpd/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <cmocka.h>

#define ENTRIES 300

struct item {
	struct wheel_entry entry; /* first */
	uint64_t due;
	unsigned fired;
	bool again;
};

static uint64_t now_ms;

static uint64_t
test_clock(void)
{
	return now_ms;
}

static void
on_time(struct wheel_entry *e, void *arg)
{
	struct item *i = (struct item *)(void *)e;
	struct wheel *w = arg;

	assert_in_range(now_ms, i->due, i->due + 2 * WHEEL_TICK_MS);
	i->fired++;
	if (i->again) {
		i->again = false;
		i->due = now_ms + 70000;
		wheel_set(w, e, i->due);
	}
}

/* What the event does, without waiting for it. */
static void
advance(struct wheel *w, uint64_t ms)
{
	for (uint64_t end = now_ms + ms; now_ms < end;) {
		now_ms += 25;
		if (w->count > 0)
			event_get_callback(w->tick)(-1, EV_TIMEOUT, w);
	}
}

static void
deadlines_are_met(void **state)
{
	struct event_base *base = event_base_new();
	struct item *items = calloc(ENTRIES, sizeof *items);
	struct wheel w;

	(void)state;
	now_ms = 123456;
	wheel_init(&w, base, test_clock, on_time, &w);
	srandom(7);
	for (int i = 0; i < ENTRIES; i++) {
		items[i].due = now_ms + (uint64_t)random() % 40000;
		items[i].again = i % 3 == 0;
		wheel_set(&w, &items[i].entry, items[i].due);
	}
	for (int i = 0; i < ENTRIES; i += 2) { /* move them, both ways */
		items[i].due = now_ms + (uint64_t)random() % 40000;
		wheel_set(&w, &items[i].entry, items[i].due);
	}
	for (int i = 1; i < ENTRIES; i += 10)
		wheel_cancel(&w, &items[i].entry);
	advance(&w, 120000);
	for (int i = 0; i < ENTRIES; i++)
		assert_int_equal(items[i].fired, i % 10 == 1 ? 0 : i % 3 == 0 ? 2 : 1);
	assert_int_equal(w.count, 0);
	assert_false(event_pending(w.tick, EV_TIMEOUT, NULL));
	wheel_release(&w);
	free(items);
	event_base_free(base);
}

/* A deadline that moves away with every command never fires, and is not inserted anew each time. */
static void
moving_away_is_cheap(void **state)
{
	struct event_base *base = event_base_new();
	struct item one = {.due = 0};
	struct wheel w;

	(void)state;
	now_ms = 5;
	wheel_init(&w, base, test_clock, on_time, &w);
	for (int i = 0; i < 10000; i++) {
		uint64_t slot = one.entry.slot_at;

		one.due = now_ms + 5000;
		wheel_set(&w, &one.entry, one.due);
		if (slot != 0)
			assert_int_equal(slot, one.entry.slot_at);
		advance(&w, 25);
	}
	assert_int_equal(one.fired, 0);
	advance(&w, 5100);
	assert_int_equal(one.fired, 1);
	wheel_release(&w);
	event_base_free(base);
}

/* A machine that slept for an hour: everything due is called once, in one tick. */
static void
a_long_pause(void **state)
{
	struct event_base *base = event_base_new();
	struct item items[3] = {{.due = 0}};
	struct wheel w;

	(void)state;
	now_ms = 999;
	wheel_init(&w, base, test_clock, on_time, &w);
	for (int i = 0; i < 3; i++) {
		items[i].due = now_ms + 3600000;
		wheel_set(&w, &items[i].entry, now_ms + 1000 * (uint64_t)(i + 1));
	}
	now_ms += 3600000;
	event_get_callback(w.tick)(-1, EV_TIMEOUT, &w);
	for (int i = 0; i < 3; i++)
		assert_int_equal(items[i].fired, 1);
	wheel_release(&w);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(deadlines_are_met),
	    cmocka_unit_test(moving_away_is_cheap),
	    cmocka_unit_test(a_long_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
