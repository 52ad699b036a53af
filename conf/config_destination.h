/*
 * config_destination: what the configuration says about the mail for one next hop:
 * the sections destination and retry-status. Asked by the queue manager for every
 * attempt, so look-ups are binary searches. Pure.
 */
#ifndef CONF_CONFIG_DESTINATION_H
#define CONF_CONFIG_DESTINATION_H

#include <stdbool.h>

#include "common/span.h"
#include "conf/config.h"

/*
 * The section for a next hop (the name of the queue's list, doc/IPC.md) and a recipient domain, both
 * canonical, either may be empty: one named exactly as the next hop, else as the domain, else
 * ".suffix" of one of them, the longest, at the same length the next hop's. NULL if there is none.
 * Just one applies: what it leaves unsaid is the default, not what a shorter suffix says.
 */
const struct config_destination *config_destination_find(
    const struct config *c, struct span next_hop, struct span domain);

/* Milliseconds from one attempt to the next, the last repeats; at least one. Borrowed from the config. */
struct config_intervals {
	const uint64_t *v;
	size_t n;
};

/*
 * The intervals after a temporary failure: those of the destination (may be NULL), else of
 * retry-status for the status ("x.y.z"), or "unreachable" if the destination was not reached, or
 * for the status's class.subject, in this order; else those for all.
 */
struct config_intervals config_retry_find(const struct config *c,
    const struct config_destination *d, const char *status, bool reached);

/*
 * How old, in milliseconds, mail for the destination (may be NULL) may become before it is given up.
 * Mail with the null reverse-path never more than bounce-lifetime.
 */
uint64_t config_lifetime_find(
    const struct config *c, const struct config_destination *d, bool null_sender);

#endif
