/* store_wishes: held, released, requeued, paused. See store_wishes.h. */
#include "queue/store_wishes.h"

#include "queue/store_parts.h"
#include "queue/store_record.h"

bool
store_hold(struct store *s, struct recipient *r)
{
	enum recipient_state state = (enum recipient_state)r->state;

	if (r->held || state >= RECIPIENT_FAILED)
		return false;
	r->held = true;
	if (state != RECIPIENT_RESOLVING && state != RECIPIENT_ACTIVE) {
		recipient_set_state(r, RECIPIENT_HELD);
		if (state != RECIPIENT_DEFERRED)
			r->next = 0;
	}
	(void)record_held(s->journal, r);
	return true;
}

bool
store_release(struct store *s, struct recipient *r)
{
	if (!r->held)
		return false;
	r->held = false;
	r->early = true;
	if (r->state == RECIPIENT_HELD)
		recipient_set_state(r, RECIPIENT_DUE);
	(void)record_released(s->journal, r);
	return true;
}

bool
store_release_early(struct store *s, struct recipient *r)
{
	if (recipient_release(r) == 0)
		return false;
	r->early = true;
	(void)record_early(s->journal, r);
	return true;
}

bool
store_requeue(struct store *s, struct recipient *r)
{
	enum recipient_state state = (enum recipient_state)r->state;

	if (state == RECIPIENT_RESOLVING || state == RECIPIENT_ACTIVE ||
	    state >= RECIPIENT_FAILED)
		return false;
	recipient_requeue(r);
	(void)record_requeued(s->journal, r);
	return true;
}

bool
store_pause(struct store *s, enum pause_kind kind, struct span name)
{
	if (!pauses_add(&s->pauses, kind, name))
		return false;
	(void)record_paused(s->journal, kind, name);
	return true;
}

bool
store_continue(struct store *s, enum pause_kind kind, struct span name)
{
	if (!pauses_remove(&s->pauses, kind, name))
		return false;
	(void)record_continued(s->journal, kind, name);
	return true;
}

const struct pauses *
store_pauses(const struct store *s)
{
	return &s->pauses;
}
