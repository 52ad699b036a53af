/*
 * meter: how many of something happened in the last minutes. Pure; one is in each
 * destination, for `postrider queue summary` and its forecast.
 */
#ifndef QUEUE_METER_H
#define QUEUE_METER_H

#include <stdint.h>

#define METER_SLOTS   64 /* ten minutes and a little, in steps of ten seconds */
#define METER_SLOT_MS 10000

struct meter {
	uint64_t slot; /* the one now_ms / METER_SLOT_MS was in at the last count */
	uint32_t n[METER_SLOTS];
};

/* All zero is an empty meter. n more happened at this time (monotonic milliseconds, never going back). */
void meter_add(struct meter *m, uint64_t now_ms, uint32_t n);

/* How many in the last `minutes` (at most 10), to within ten seconds. */
uint32_t meter_count(const struct meter *m, uint64_t now_ms, unsigned minutes);

#endif
