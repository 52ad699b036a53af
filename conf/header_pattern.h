/*
 * header_pattern: a regular expression of header checks (PCRE2) and its bounds: whatever a stranger
 * sends, a match ends soon, and takes no more memory than HEADER_PATTERN_HEAP. Octets are matched, not
 * characters. No JIT: no process of ours may make memory executable.
 */
#ifndef CONF_HEADER_PATTERN_H
#define CONF_HEADER_PATTERN_H

#include <stdint.h>

#include "common/buf.h"
#include "common/span.h"

/* Steps of one match from one place of the field (PCRE2's match limit begins anew at the next): a few milliseconds. */
#define HEADER_PATTERN_STEPS 100000U
/* Processor time of one match, from all places together, in microseconds. */
#define HEADER_PATTERN_TIME 10000U
/* Nested in each other, and the memory for them in KiB. */
#define HEADER_PATTERN_DEPTH 100000U
#define HEADER_PATTERN_HEAP  16384U

/* $1 to $9 may be used. */
#define HEADER_PATTERN_GROUPS 10

struct header_pattern;

/* What a match needs; shared by patterns that are used by turns, and holds the groups of the last match. */
struct header_matcher;

/*
 * flags are those of Postfix's pcre_table(5), each of which toggles: i (case is ignored; on), m (^ and $ at each line), s (a
 * dot is any octet; on), x (white space and comments in the pattern), A (anchored), E ($ is the very end),
 * U (not greedy). NULL with the reason in *why.
 */
struct header_pattern *header_pattern_new(
    struct span pattern, struct span flags, struct buf *why);
void header_pattern_free(struct header_pattern **p);

/* Groups in parentheses. */
uint32_t header_pattern_groups(const struct header_pattern *p);

/* steps: at most HEADER_PATTERN_STEPS. */
struct header_matcher *header_matcher_new(uint32_t steps);
void header_matcher_free(struct header_matcher **m);

enum header_match {
	HEADER_NO_MATCH,
	HEADER_MATCH,
	HEADER_TOO_HARD, /* a limit was reached */
};

/* s is borrowed as long as the groups are asked for. */
enum header_match header_pattern_match(
    const struct header_pattern *p, struct header_matcher *m, struct span s);

/* Group n (0: all that matched) of the last match; empty if it took no part. */
struct span header_matcher_group(const struct header_matcher *m, unsigned n);

#endif
