/*
 * drop_delays: which files of drop/ were put off, and until when. Each has its
 * own back-off, so one that cannot be submitted now holds up no other.
 * Pure: the clock is handed in.
 */
#ifndef QUEUE_DROP_DELAYS_H
#define QUEUE_DROP_DELAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/hash.h"
#include "queue/drop_file.h"

#define DROP_DELAY_FIRST_MS 10000
#define DROP_DELAY_MOST_MS  600000

struct drop_delay {
	LIST_ENTRY(drop_delay) link;
	char name[DROP_NAME_SIZE];
	uint64_t until, interval; /* monotonic milliseconds */
	bool seen;		  /* in the present look through the directory */
};

/* Found by name in constant time: whoever fills drop/ is not to keep the queue manager busy. */
struct drop_delays {
	LIST_HEAD(, drop_delay) all;
	struct hash names;
};

void drop_delays_init(struct drop_delays *d);
void drop_delays_release(struct drop_delays *d);

/* The file was not taken: not before 10 s from now, twice as long each time, up to 10 min. */
void drop_delays_put_off(struct drop_delays *d, const char *name, uint64_t now);

/* May the file be tried? Counts as seen. */
bool drop_delays_may_try(struct drop_delays *d, const char *name, uint64_t now);

/* Around a look through the whole directory: what was not seen is gone, and forgotten. */
void drop_delays_begin_look(struct drop_delays *d);
void drop_delays_end_look(struct drop_delays *d);

#endif
