/*
 * store_replay: the journal's records, applied. See store_replay.h; the list with
 * the meaning of each is in doc/SPOOL.md.
 */
#include "queue/store_replay.h"

#include <limits.h>

#include "common/log.h"
#include "queue/store_replay_parts.h"

#define SAFE_DIGITS 19 /* so many always fit */

/* Takes a decimal number and the space behind it off *rest. */
static int
take_number(struct span *rest, uint64_t *v)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < rest->len && rest->p[i] >= '0' && rest->p[i] <= '9'; i++) {
		uint64_t digit = (uint64_t)(rest->p[i] - '0');

		if (i >= SAFE_DIGITS && (n > UINT64_MAX / 10 || n * 10 > UINT64_MAX - digit))
			return -1;
		n = n * 10 + digit;
	}
	*v = n;
	if (i == 0 || (i < rest->len && rest->p[i] != ' '))
		return -1;
	*rest = i < rest->len ? span_make(rest->p + i + 1, rest->len - i - 1)
			      : (struct span){NULL, 0};
	return 0;
}

int
replay_take_numbers(struct span *rest, uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (take_number(rest, &v[i]) != 0)
			return -1;
	return 0;
}

static struct spool_segment *
find_segment(struct replay *rp, uint64_t number, bool large)
{
	return rp->pool != NULL ? segment_pool_find(rp->pool, number, large) : NULL;
}

struct spool_segment *
replay_find_life(struct replay *rp, const uint64_t v[3])
{
	struct spool_segment *s = find_segment(rp, v[1], v[0] == 1);

	/* Its newest life may have no record of its own yet, and older ones do not count. */
	if (s != NULL && s->headless && v[2] > s->generation)
		s->generation = v[2];

	return s != NULL && (s->large || s->generation == v[2]) ? s : NULL;
}

void
replay_account(struct spool_segment *s, uint64_t offset)
{
	if (offset > s->accounted)
		s->accounted = offset;
}

/* "d name" or "s name". */
static int
take_pause(struct span rest, enum pause_kind *kind, struct span *name)
{
	struct span word = span_cut(&rest, ' ');

	if (rest.p == NULL || (!span_is(word, "d") && !span_is(word, "s")))
		return -1;
	*kind = span_is(word, "d") ? PAUSE_DESTINATION : PAUSE_SENDER;
	*name = rest;
	return pauses_name_ok(*kind, rest) ? 0 : -1;
}

static int
apply_paused(struct replay *rp, struct span rest)
{
	enum pause_kind kind;
	struct span name;

	if (take_pause(rest, &kind, &name) != 0)
		return -1;
	(void)pauses_add(rp->pauses, kind, name);
	return 0;
}

static int
apply_continued(struct replay *rp, struct span rest)
{
	enum pause_kind kind;
	struct span name;

	if (take_pause(rest, &kind, &name) != 0)
		return -1;
	(void)pauses_remove(rp->pauses, kind, name);
	return 0;
}

static int
apply_segment(struct replay *rp, struct span rest)
{
	struct spool_segment *s;
	uint64_t v[4];

	if (replay_take_numbers(&rest, v, 4) != 0)
		return -1;
	s = replay_find_life(rp, v);
	if (s != NULL)
		replay_account(s, v[3]);
	return 0;
}

static int
apply_complete(struct replay *rp, struct span rest)
{
	struct spool_segment *s;
	uint64_t v[3];

	if (replay_take_numbers(&rest, v, 3) != 0)
		return -1;
	s = find_segment(rp, v[1], v[0] == 1);
	if (s != NULL && s->generation == v[2])
		s->complete = true;
	return 0;
}

static int
apply_own(struct replay *rp, struct span rest)
{
	struct spool_segment *s;
	uint64_t v[2];

	if (replay_take_numbers(&rest, v, 2) != 0)
		return -1;
	s = find_segment(rp, v[0], false);
	if (s != NULL && s->generation == v[1])
		s->own = true;
	return 0;
}

static int
apply_generation(struct replay *rp, struct span rest)
{
	uint64_t v;

	if (replay_take_numbers(&rest, &v, 1) != 0)
		return -1;
	if (v > rp->generation)
		rp->generation = v;
	return 0;
}

static int (*const records['Z' - 'A' + 1])(struct replay *rp, struct span rest) = {
    ['A' - 'A'] = apply_segment,
    ['B' - 'A'] = replay_apply_told,
    ['C' - 'A'] = apply_continued,
    ['D' - 'A'] = replay_apply_settled,
    ['F' - 'A'] = replay_apply_failed,
    ['G' - 'A'] = apply_generation,
    ['H' - 'A'] = replay_apply_held,
    ['M' - 'A'] = replay_apply_message,
    ['O' - 'A'] = apply_own,
    ['P' - 'A'] = apply_paused,
    ['Q' - 'A'] = replay_apply_requeued,
    ['R' - 'A'] = replay_apply_settled,
    ['S' - 'A'] = replay_apply_succeeded,
    ['T' - 'A'] = replay_apply_deferred,
    ['U' - 'A'] = replay_apply_released,
    ['V' - 'A'] = replay_apply_moved,
    ['W' - 'A'] = replay_apply_warned,
    ['X' - 'A'] = replay_apply_expansion,
    ['Z' - 'A'] = apply_complete,
};

void
replay_record(struct span record, void *arg)
{
	struct replay *rp = arg;
	unsigned kind = record.len > 2 && record.p[1] == ' '
			    ? (unsigned)(unsigned char)record.p[0] - 'A'
			    : UINT_MAX;

	if (kind < sizeof records / sizeof *records && records[kind] != NULL &&
	    records[kind](rp, span_skip(record, 2)) == 0)
		return;
	rp->malformed++;
	log_warnx(
	    "journal: a record is not understood: %.*s", SPAN_ARG(span_first(record, 200)));
}
