/*
 * store_replay: the journal's records, applied. See store_replay.h; the list with
 * the meaning of each is in doc/SPOOL.md.
 */
#include "queue/store_replay.h"

#include <limits.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "queue/store_record.h"

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

/* Takes n numbers off *rest. */
static int
take_numbers(struct span *rest, uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (take_number(rest, &v[i]) != 0)
			return -1;
	return 0;
}

static struct recipient *
find_entry(struct replay *rp, uint64_t number, uint64_t entry)
{
	struct message *m = message_map_find(rp->messages, number);

	return m != NULL && entry <= UINT32_MAX ? message_recipient(m, (uint32_t)entry) : NULL;
}

static struct spool_segment *
find_segment(struct replay *rp, uint64_t number, bool large)
{
	return rp->pool != NULL ? segment_pool_find(rp->pool, number, large) : NULL;
}

/* The same from the fields "large number generation", if it still has this life. */
static struct spool_segment *
find_life(struct replay *rp, const uint64_t v[3])
{
	struct spool_segment *s = find_segment(rp, v[1], v[0] == 1);

	/* Its newest life may have no record of its own yet, and older ones do not count. */
	if (s != NULL && s->headless && v[2] > s->generation)
		s->generation = v[2];

	return s != NULL && (s->large || s->generation == v[2]) ? s : NULL;
}

static void
account(struct spool_segment *s, uint64_t offset)
{
	if (offset > s->accounted)
		s->accounted = offset;
}

/* The recipients of M, a line each: "notify address", into rp->given. How many; 0 if malformed. */
static uint32_t
take_given(struct replay *rp, struct span rest)
{
	uint32_t n = 0;

	while (rest.p != NULL) {
		struct span line = span_cut(&rest, '\n');
		uint64_t notify;

		if (take_numbers(&line, &notify, 1) != 0 || notify > 31 || line.p == NULL)
			return 0;
		if (n == rp->given_cap) {
			rp->given_cap = n > 0 ? n * 2 : 16;
			rp->given = xreallocarray(rp->given, rp->given_cap, sizeof *rp->given);
		}
		rp->given[n++] = (struct message_given){line, (uint8_t)notify};
	}
	return n;
}

static int
take_told(struct message *m, struct span head, uint64_t of, bool delayed)
{
	struct message_report *p;
	uint64_t entry;

	if (of == 0)
		return head.len == 0 ? 0 : -1;
	p = message_report(m);
	p->bounce_of = of;
	p->delayed = delayed;
	while (head.len > 0) {
		if (take_numbers(&head, &entry, 1) != 0 || entry > UINT32_MAX)
			return -1;
		p->told = xreallocarray(p->told, p->ntold + 1, sizeof *p->told);
		p->told[p->ntold++] = (uint32_t)entry;
	}
	return 0;
}

static int
take_release(struct message *m, struct span *head)
{
	uint64_t release;

	if (take_numbers(head, &release, 1) != 0 || release > INT64_MAX / 1000)
		return -1;
	message_report(m)->release = (int64_t)release;
	return 0;
}

/* The message of an M record: v are its numbers, head what follows them, rest the lines behind. NULL if malformed. */
static struct message *
make_message(struct replay *rp, const uint64_t v[12], struct span head, struct span rest)
{
	struct span from = span_cut(&rest, '\n');
	struct message *m;
	uint32_t n;

	if (v[4] > UINT32_MAX || v[7] > UINT32_MAX || v[9] > UINT32_MAX || rest.p == NULL)
		return NULL;
	n = take_given(rp, rest);
	if (n == 0)
		return NULL;
	m = message_new(rp->atoms, v[0], from, rp->given, n);
	m->offset = (uint32_t)v[4];
	m->received = (int64_t)v[6];
	m->envelope_len = (uint32_t)v[7];
	m->content_len = v[8];
	m->content_crc = (uint32_t)v[9];
	m->eight_bit = (v[10] & RECORD_EIGHT_BIT) != 0;
	m->utf8 = (v[10] & RECORD_UTF8) != 0;
	m->has_dsn = (v[10] & RECORD_DSN) != 0;
	if ((v[10] & RECORD_HELD) != 0)
		message_hold(m, NULL);
	if ((v[10] & RECORD_RELEASE) != 0 && take_release(m, &head) != 0)
		message_free(&m);
	else if (take_told(m, head, v[11], (v[10] & RECORD_DELAYED) != 0) != 0)
		message_free(&m);
	return m;
}

static void
forget_place(struct replay *rp, uint64_t number)
{
	free(idmap_remove(&rp->places, number));
}

/* The message stands in s; if that is gone, where it stood is remembered: v is "large number generation". */
static void
set_place(struct replay *rp, struct message *m, struct spool_segment *s, const uint64_t v[3])
{
	struct replay_place *p;

	m->segment = s;
	forget_place(rp, m->number);
	if (s != NULL)
		return;
	p = xcalloc(1, sizeof *p);
	*p = (struct replay_place){v[1], v[2], v[0] == 1};
	(void)idmap_insert(&rp->places, m->number, p);
}

/*
 * A message whose segment is gone or has a new life since was settled, and a later record says so.
 * It is kept without a segment until then; one that is left so at the end is reported as missing.
 */
static int
apply_message(struct replay *rp, struct span rest)
{
	struct span head = span_cut(&rest, '\n');
	uint64_t v[12];
	struct spool_segment *s;
	struct message *m;

	if (take_numbers(&head, v, 12) != 0)
		return -1;
	s = find_life(rp, v + 1);
	if (s != NULL)
		account(s, v[5]);
	if (message_map_find(rp->messages, v[0]) != NULL)
		return 0;
	m = make_message(rp, v, head, rest);
	if (m == NULL)
		return -1;
	set_place(rp, m, s, v + 1);
	(void)message_map_insert(rp->messages, m);
	return 0;
}

/* It was copied to another place, and what was there before is not needed. */
static int
apply_moved(struct replay *rp, struct span rest)
{
	struct spool_segment *s;
	struct message *m;
	uint64_t v[6];

	if (take_numbers(&rest, v, 6) != 0 || v[4] > UINT32_MAX)
		return -1;
	s = find_life(rp, v + 1);
	if (s != NULL)
		account(s, v[5]);
	m = message_map_find(rp->messages, v[0]);
	if (m != NULL) {
		set_place(rp, m, s, v + 1);
		m->offset = (uint32_t)v[4];
	}
	return 0;
}

static void
forget_if_settled(struct replay *rp, struct message *m)
{
	if (m->unsettled == 0) {
		(void)message_map_remove(rp->messages, m->number);
		forget_place(rp, m->number);
		message_free(&m);
	}
}

/* The recipient that a record "message entry" names; NULL if there is none now: settled since. */
static int
take_entry(struct replay *rp, struct span *rest, struct recipient **r)
{
	uint64_t v[2];

	if (take_numbers(rest, v, 2) != 0)
		return -1;
	*r = find_entry(rp, v[0], v[1]);
	return 0;
}

static int
apply_settled(struct replay *rp, struct span rest)
{
	struct recipient *r;

	if (take_entry(rp, &rest, &r) != 0)
		return -1;
	if (r != NULL) {
		recipient_set_state(r, RECIPIENT_SETTLED);
		forget_if_settled(rp, r->message);
	}
	return 0;
}

/* The verdict of T, F or S, behind whose numbers v stands "host reason". NULL if there is nobody it concerns. */
static struct recipient *
take_verdict(struct replay *rp, const uint64_t v[4], struct span rest)
{
	struct recipient *r = find_entry(rp, v[0], v[1]);
	struct span mta = span_cut(&rest, ' ');

	if (r == NULL || r->state == RECIPIENT_SETTLED)
		return NULL;
	r->attempts = (uint16_t)(v[2] < UINT16_MAX ? v[2] : UINT16_MAX);
	atom_unref(&r->reason);
	if (rest.len > 0)
		r->reason = atom_get(rp->atoms, rest);
	recipient_set_mta(r, span_is(mta, "-") ? span_str("") : mta);
	return r;
}

static int
apply_deferred(struct replay *rp, struct span rest)
{
	struct recipient *r;
	uint64_t v[4];

	if (take_numbers(&rest, v, 4) != 0)
		return -1;
	r = take_verdict(rp, v, rest);
	if (r != NULL) {
		r->early = true;
		recipient_set_state(r, r->held ? RECIPIENT_HELD : RECIPIENT_DEFERRED);
		r->next = (int64_t)v[3];
	}
	return 0;
}

static int
apply_failed(struct replay *rp, struct span rest)
{
	struct recipient *r;
	uint64_t v[4];

	if (take_numbers(&rest, v, 4) != 0)
		return -1;
	r = take_verdict(rp, v, rest);
	if (r != NULL)
		recipient_set_state(r, RECIPIENT_FAILED);
	return 0;
}

static int
apply_succeeded(struct replay *rp, struct span rest)
{
	struct recipient *r;
	uint64_t v[4];

	if (take_numbers(&rest, v, 4) != 0 || v[3] > RECIPIENT_EXPANDED)
		return -1;
	r = take_verdict(rp, v, rest);
	if (r != NULL) {
		r->action = (uint8_t)v[3] & 3;
		recipient_set_state(r, RECIPIENT_TELL);
	}
	return 0;
}

static int
apply_held(struct replay *rp, struct span rest)
{
	struct recipient *r;

	if (take_entry(rp, &rest, &r) != 0)
		return -1;
	if (r == NULL || r->state == RECIPIENT_SETTLED)
		return 0;
	r->held = true;
	if (r->state == RECIPIENT_DUE)
		r->next = 0;
	if (r->state == RECIPIENT_DUE || r->state == RECIPIENT_DEFERRED)
		recipient_set_state(r, RECIPIENT_HELD);
	return 0;
}

/* Released, it is tried at once. */
static int
apply_released(struct replay *rp, struct span rest)
{
	struct recipient *r;

	if (take_entry(rp, &rest, &r) != 0)
		return -1;
	if (r == NULL || r->state == RECIPIENT_SETTLED)
		return 0;
	r->held = false;
	r->early = true;
	if (r->state == RECIPIENT_HELD) {
		recipient_set_state(r, r->reason != NULL ? RECIPIENT_DEFERRED : RECIPIENT_DUE);
		r->next = 0;
	}
	return 0;
}

static int
apply_requeued(struct replay *rp, struct span rest)
{
	struct recipient *r;

	if (take_entry(rp, &rest, &r) != 0)
		return -1;
	if (r != NULL && (r->state == RECIPIENT_DUE || r->state == RECIPIENT_DEFERRED ||
			     r->state == RECIPIENT_HELD))
		recipient_requeue(r);
	return 0;
}

/* The new entries of X, a line each: "m address" or "r address". The caller frees. NULL if there is none. */
static struct message_target *
take_targets(struct span rest, size_t *n)
{
	struct message_target *targets;
	size_t lines = 1;

	*n = 0;
	if (rest.p == NULL)
		return NULL;
	for (size_t i = 0; i < rest.len; i++)
		lines += rest.p[i] == '\n';
	targets = xcalloc(lines, sizeof *targets);
	while (rest.p != NULL) {
		struct span line = span_cut(&rest, '\n');

		targets[*n].kind = span_starts_with(line, "m ")	  ? RECIPIENT_MAILBOX
				   : span_starts_with(line, "g ") ? RECIPIENT_GIVEN
								  : RECIPIENT_REMOTE;
		targets[(*n)++].address = span_skip(line, 2);
	}
	return targets;
}

static int
apply_expansion(struct replay *rp, struct span rest)
{
	struct span head = span_cut(&rest, '\n');
	struct message_target *targets;
	struct recipient *parent;
	uint64_t v[4];
	size_t n;

	if (take_numbers(&head, v, 4) != 0)
		return -1;
	parent = find_entry(rp, v[0], v[1]);
	if (parent == NULL || v[2] < parent->message->nrecipients)
		return 0; /* settled since, or known already */
	if (v[2] != parent->message->nrecipients || parent->state == RECIPIENT_SETTLED)
		return -1;
	targets = take_targets(rest, &n);
	if (targets == NULL)
		return -1;
	(void)message_expand(parent->message, parent->entry, targets, n);
	free(targets);
	parent->action = RECIPIENT_EXPANDED;
	recipient_set_state(
	    parent, recipient_tells_expansion(parent, n) ? RECIPIENT_TELL : RECIPIENT_SETTLED);
	return 0;
}

/* Calls fn for each entry that a record "message entry ..." names, and forgets the message if all are settled. */
static int
each_entry(struct replay *rp, struct span rest, void (*fn)(struct recipient *r))
{
	struct message *m;
	uint64_t number, entry;
	int result = 0;

	if (take_numbers(&rest, &number, 1) != 0)
		return -1;
	m = message_map_find(rp->messages, number);
	while (m != NULL && rest.len > 0 && result == 0) {
		struct recipient *r = NULL;

		result = take_numbers(&rest, &entry, 1);
		if (result == 0)
			r = find_entry(rp, number, entry);
		if (r != NULL)
			fn(r);
	}
	if (m != NULL) {
		message_trim_report(m);
		forget_if_settled(rp, m);
	}
	return result;
}

static void
told(struct recipient *r)
{
	if (r->state == RECIPIENT_FAILED || r->state == RECIPIENT_TELL)
		recipient_set_state(r, RECIPIENT_SETTLED);
}

static int
apply_told(struct replay *rp, struct span rest)
{
	return each_entry(rp, rest, told);
}

static void
warned(struct recipient *r)
{
	r->warned = true;
}

static int
apply_warned(struct replay *rp, struct span rest)
{
	return each_entry(rp, rest, warned);
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

	if (take_numbers(&rest, v, 4) != 0)
		return -1;
	s = find_life(rp, v);
	if (s != NULL)
		account(s, v[3]);
	return 0;
}

static int
apply_complete(struct replay *rp, struct span rest)
{
	struct spool_segment *s;
	uint64_t v[3];

	if (take_numbers(&rest, v, 3) != 0)
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

	if (take_numbers(&rest, v, 2) != 0)
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

	if (take_numbers(&rest, &v, 1) != 0)
		return -1;
	if (v > rp->generation)
		rp->generation = v;
	return 0;
}

static int (*const records['Z' - 'A' + 1])(struct replay *rp, struct span rest) = {
    ['A' - 'A'] = apply_segment,
    ['B' - 'A'] = apply_told,
    ['C' - 'A'] = apply_continued,
    ['D' - 'A'] = apply_settled,
    ['F' - 'A'] = apply_failed,
    ['G' - 'A'] = apply_generation,
    ['H' - 'A'] = apply_held,
    ['M' - 'A'] = apply_message,
    ['O' - 'A'] = apply_own,
    ['P' - 'A'] = apply_paused,
    ['Q' - 'A'] = apply_requeued,
    ['R' - 'A'] = apply_settled,
    ['S' - 'A'] = apply_succeeded,
    ['T' - 'A'] = apply_deferred,
    ['U' - 'A'] = apply_released,
    ['V' - 'A'] = apply_moved,
    ['W' - 'A'] = apply_warned,
    ['X' - 'A'] = apply_expansion,
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

void
replay_release(struct replay *rp)
{
	struct replay_place *p;
	size_t at = 0;

	while ((p = idmap_next(&rp->places, &at)) != NULL)
		free(p);
	idmap_release(&rp->places);
	free(rp->given);
}
