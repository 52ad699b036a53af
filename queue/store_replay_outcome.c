/*
 * store_replay_outcome: the records that say what became of recipients, and what is wished of them. Part of
 * store_replay (store_replay_parts.h). What they name may be gone: settled by a later record that a checkpoint knew.
 */
#include <stdlib.h>

#include "common/xalloc.h"
#include "queue/store_replay_parts.h"

static struct recipient *
replay_find_entry(struct replay *rp, uint64_t number, uint64_t entry)
{
	struct message *m = message_map_find(rp->messages, number);

	return m != NULL && entry <= UINT32_MAX ? message_recipient(m, (uint32_t)entry) : NULL;
}

static void
forget_if_settled(struct replay *rp, struct message *m)
{
	if (m->unsettled == 0) {
		(void)message_map_remove(rp->messages, m->number);
		replay_forget_place(rp, m->number);
		message_free(&m);
	}
}

/* The recipient that a record "message entry" names; NULL if there is none now: settled since. */
static int
take_entry(struct replay *rp, struct span *rest, struct recipient **r)
{
	uint64_t v[2];

	if (replay_take_numbers(rest, v, 2) != 0)
		return -1;
	*r = replay_find_entry(rp, v[0], v[1]);
	return 0;
}

int
replay_apply_settled(struct replay *rp, struct span rest)
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
	struct recipient *r = replay_find_entry(rp, v[0], v[1]);
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

int
replay_apply_deferred(struct replay *rp, struct span rest)
{
	struct recipient *r;
	uint64_t v[4];

	if (replay_take_numbers(&rest, v, 4) != 0)
		return -1;
	r = take_verdict(rp, v, rest);
	if (r != NULL) {
		r->early = true;
		recipient_set_state(r, r->held ? RECIPIENT_HELD : RECIPIENT_DEFERRED);
		r->next = (int64_t)v[3];
	}
	return 0;
}

int
replay_apply_failed(struct replay *rp, struct span rest)
{
	struct recipient *r;
	uint64_t v[4];

	if (replay_take_numbers(&rest, v, 4) != 0)
		return -1;
	r = take_verdict(rp, v, rest);
	if (r != NULL)
		recipient_set_state(r, RECIPIENT_FAILED);
	return 0;
}

int
replay_apply_succeeded(struct replay *rp, struct span rest)
{
	struct recipient *r;
	uint64_t v[4];

	if (replay_take_numbers(&rest, v, 4) != 0 || v[3] > RECIPIENT_EXPANDED)
		return -1;
	r = take_verdict(rp, v, rest);
	if (r != NULL) {
		r->action = (uint8_t)v[3] & 3;
		recipient_set_state(r, RECIPIENT_TELL);
	}
	return 0;
}

int
replay_apply_held(struct replay *rp, struct span rest)
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
int
replay_apply_released(struct replay *rp, struct span rest)
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

int
replay_apply_requeued(struct replay *rp, struct span rest)
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

int
replay_apply_expansion(struct replay *rp, struct span rest)
{
	struct span head = span_cut(&rest, '\n');
	struct message_target *targets;
	struct recipient *parent;
	uint64_t v[4];
	size_t n;

	if (replay_take_numbers(&head, v, 4) != 0)
		return -1;
	parent = replay_find_entry(rp, v[0], v[1]);
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

	if (replay_take_numbers(&rest, &number, 1) != 0)
		return -1;
	m = message_map_find(rp->messages, number);
	while (m != NULL && rest.len > 0 && result == 0) {
		struct recipient *r = NULL;

		result = replay_take_numbers(&rest, &entry, 1);
		if (result == 0)
			r = replay_find_entry(rp, number, entry);
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

int
replay_apply_told(struct replay *rp, struct span rest)
{
	return each_entry(rp, rest, told);
}

static void
warned(struct recipient *r)
{
	r->warned = true;
}

int
replay_apply_warned(struct replay *rp, struct span rest)
{
	return each_entry(rp, rest, warned);
}
