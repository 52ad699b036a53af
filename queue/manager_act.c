/*
 * manager_act: what the administrator may do with a recipient or with what waits. See
 * manager.h; called by control. Invariant: the recipient is taken out of the scheduler's
 * lists before the store changes its state, and given back after.
 */
#include "queue/manager_parts.h"
#include "queue/store_wishes.h"

/* Is nothing under way for it, and something left to do? It is in no list then. */
static bool
take_out(struct manager *m, struct recipient *r)
{
	if (r->state == RECIPIENT_HELD)
		return true;
	if (!scheduler_has(r))
		return false;
	scheduler_forget(m->scheduler, r);
	return true;
}

static void
give_back(struct manager *m, struct recipient *r)
{
	if (r->state == RECIPIENT_DUE)
		scheduler_add_due(m->scheduler, r);
	dispatch_soon(m);
}

bool
manager_retry(struct manager *m, struct recipient *r)
{
	if (!scheduler_has(r))
		return false;
	(void)store_release_early(m->store, r);
	scheduler_hurry(m->scheduler, r);
	dispatch_soon(m);
	return true;
}

bool
manager_hold(struct manager *m, struct recipient *r)
{
	if (r->held)
		return false;
	(void)take_out(m, r);
	if (!store_hold(m->store, r))
		return false;
	outcome_report(m, r->message);
	return true;
}

bool
manager_release(struct manager *m, struct recipient *r)
{
	if (!r->held)
		return recipient_release(r) != 0 && manager_retry(m, r);
	if (!store_release(m->store, r))
		return false;
	give_back(m, r);
	return true;
}

bool
manager_requeue(struct manager *m, struct recipient *r)
{
	bool held = r->state == RECIPIENT_HELD;

	if (!take_out(m, r))
		return false;
	if (!held)
		recipient_set_state(r, RECIPIENT_DUE);
	(void)store_requeue(m->store, r);
	give_back(m, r);
	return true;
}

bool
manager_remove(struct manager *m, struct recipient *r)
{
	if (!take_out(m, r))
		return false;
	store_remove(m->store, r);
	outcome_report(m, r->message);
	return true;
}

bool
manager_fail(struct manager *m, struct recipient *r)
{
	struct verdict v;

	if (!take_out(m, r))
		return false;
	verdict_set(
	    &v, VERDICT_PERMANENT, 0, "5.0.0", "Removed from the queue by the administrator");
	recipient_set_mta(r, span_str(""));
	store_fail(m->store, r, &v);
	outcome_log(r, "failed", &v, span_str(""));
	outcome_report(m, r->message);
	return true;
}

bool
manager_pause(struct manager *m, enum pause_kind kind, struct span name)
{
	if (!store_pause(m->store, kind, name))
		return false;
	scheduler_pause(m->scheduler, kind, name);
	dispatch_soon(m);
	return true;
}

bool
manager_continue(struct manager *m, enum pause_kind kind, struct span name)
{
	if (!store_continue(m->store, kind, name))
		return false;
	scheduler_continue(m->scheduler, kind, name);
	dispatch_soon(m);
	return true;
}
