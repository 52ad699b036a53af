/*
 * manager_act: what the administrator may do with a recipient or with what waits. See
 * manager.h; called by control.
 */
#include "queue/manager_parts.h"

bool
manager_retry(struct manager *m, struct recipient *r)
{
	if (r->state != RECIPIENT_DEFERRED)
		return false;
	scheduler_forget(m->scheduler, r);
	recipient_set_state(r, RECIPIENT_DUE);
	scheduler_add_due(m->scheduler, r);
	dispatch_soon(m);
	return true;
}

/* Out of whatever list it is in, if it is in one. */
static bool
take_out(struct manager *m, struct recipient *r)
{
	if (!scheduler_has(r))
		return false;
	scheduler_forget(m->scheduler, r);
	return true;
}

bool
manager_remove(struct manager *m, struct recipient *r)
{
	if (!take_out(m, r))
		return false;
	store_remove(m->store, r);
	reporter_consider(m->reporter, r->message);
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
	reporter_consider(m->reporter, r->message);
	return true;
}
