/* meter: counts by time. See meter.h. Slot s is n[s % METER_SLOTS]; those after m->slot are empty. */
#include "queue/meter.h"

#include <string.h>

/* Empties what lies between the last count and now. */
static void
advance(struct meter *m, uint64_t slot)
{
	if (slot - m->slot >= METER_SLOTS) {
		memset(m->n, 0, sizeof m->n);
		m->slot = slot;
	}
	while (m->slot < slot)
		m->n[++m->slot % METER_SLOTS] = 0;
}

void
meter_add(struct meter *m, uint64_t now_ms, uint32_t n)
{
	advance(m, now_ms / METER_SLOT_MS);
	m->n[m->slot % METER_SLOTS] += n;
}

uint32_t
meter_count(const struct meter *m, uint64_t now_ms, unsigned minutes)
{
	uint64_t now = now_ms / METER_SLOT_MS,
		 slots = (uint64_t)minutes * 60000 / METER_SLOT_MS;
	uint32_t sum = 0;

	for (uint64_t i = 0; i < slots && i < METER_SLOTS && i <= now; i++) {
		uint64_t slot = now - i;

		if (slot <= m->slot && m->slot - slot < METER_SLOTS)
			sum += m->n[slot % METER_SLOTS];
	}
	return sum;
}
