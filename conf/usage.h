/*
 * usage: how often something was done lately, by key: messages of an account,
 * connections of a network. Kept by the directory process for conf/policy_limits.
 * Pure: the caller has the clock.
 *
 * A period is counted in USAGE_SLOTS - 1 parts, and what was done counts until the
 * part it fell into is a whole period old: in no period as long as that is more
 * done than the limit, and a place is free again after at most a twelfth more. Memory is
 * bounded: when too many keys are counted the one that was added to longest ago is forgotten.
 */
#ifndef CONF_USAGE_H
#define CONF_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/span.h"
#include "conf/units.h"

#define USAGE_SLOTS 13

struct usage;

/* At most so many keys; at least 1. */
struct usage *usage_new(size_t most);
void usage_free(struct usage **u);

/* n more, now. A key is used with one period only; it is copied. */
void usage_add(
    struct usage *u, struct span key, uint64_t period_ms, uint32_t n, uint64_t now_ms);

/* How many have been counted in the period that ends now. */
uint64_t usage_count(
    const struct usage *u, struct span key, uint64_t period_ms, uint64_t now_ms);

/*
 * Milliseconds until n more stay within the rate; 0: they do now, which n more than the rate never does:
 * then it is the time until nothing is counted any more, or a period.
 */
uint64_t usage_wait(const struct usage *u, struct span key, const struct units_rate *rate,
    uint32_t n, uint64_t now_ms);

#endif
