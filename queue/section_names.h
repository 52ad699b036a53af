/*
 * section_names: numbers for the names of the configuration's destination sections, so
 * that a deferred recipient, of which there may be a million, tells in two octets which section its
 * last next hop comes under. The name is kept, not the section: it means the same after a reload. Written by
 * queue/outcome, read by queue/report. Names are never dropped: they are as few as the sections ever were.
 */
#ifndef QUEUE_SECTION_NAMES_H
#define QUEUE_SECTION_NAMES_H

#include <stdint.h>

#include "common/span.h"

struct section_names;

struct section_names *section_names_new(void);
void section_names_free(struct section_names **s);

/* The number of a name (copied when it is new), from 1; 0 for the empty one, and if there are 65535 others. */
uint16_t section_names_number(struct section_names *s, struct span name);

/* The name of a number, empty for 0. Borrowed. */
struct span section_names_get(const struct section_names *s, uint16_t number);

#endif
