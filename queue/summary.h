/*
 * summary: what is in the queue, counted by a name (destination, domain, sender domain) and
 * by age. Pure: recipients are added one after the other, those of a message together. Used by
 * control in its forked children; the forecast by postrider(8), too.
 */
#ifndef QUEUE_SUMMARY_H
#define QUEUE_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/message.h"

/* Classes of age: below each of summary_age_limits, and older. */
#define SUMMARY_AGES 7

/* Seconds; SUMMARY_AGES - 1 of them, growing. */
extern const uint64_t summary_age_limits[SUMMARY_AGES - 1];

struct summary_row {
	char *name;
	uint64_t messages, recipients;
	uint64_t ages[SUMMARY_AGES]; /* recipients */
	uint64_t held, active;	     /* of the recipients: HELD; under way now */
	int64_t oldest;		     /* milliseconds since 1970 */
	uint64_t last;		     /* the message counted last */
};

struct summary;

/* now: milliseconds since 1970. */
struct summary *summary_new(int64_t now);
void summary_free(struct summary **s);

/* One recipient more under this name. */
void summary_add(struct summary *s, const char *name, const struct recipient *r);

/* The row of a name, or NULL. Rows stay where they are. */
struct summary_row *summary_find(const struct summary *s, const char *name);

/* All rows, those with most recipients first; *n of them. Valid until the next change. */
struct summary_row **summary_sorted(struct summary *s, size_t *n);

/* Everything together. Its name is "". */
const struct summary_row *summary_total(const struct summary *s);

/*
 * Seconds until n recipients are gone if it goes on as in the last `window` seconds, in which `delivered` were. -1
 * if nothing was, so that nobody can tell.
 */
int64_t summary_forecast(uint64_t n, uint64_t delivered, uint64_t window);

#endif
