/*
 * scheduler_pause: destinations and sender domains that the administrator stops and
 * lets go on. See scheduler.h.
 *
 * Mail for a paused domain that would go by another next hop (a smarthost) stands in a list of its
 * own, a detour, meanwhile, and is resolved again when the pause is over: others' mail by that
 * next hop passes.
 */
#include "queue/scheduler_parts.h"

static void
set_paused(struct scheduler *s, struct span name, bool paused)
{
	for (int i = 0; i < 2 * AGENT_KINDS; i++) {
		struct destination *d =
		    scheduler_find_destination(s, (enum agent_kind)(i / 2), name, i % 2 == 1);

		if (d != NULL) {
			d->paused = paused;
			scheduler_update(s, d);
		}
	}
}

static void
update_lanes(struct scheduler *s, const struct sender *sender)
{
	struct lane *lane;

	if (sender == NULL)
		return;
	TAILQ_FOREACH (lane, &sender->lanes, same)
		if (lane->key.list->destination != NULL)
			scheduler_update(s, lane->key.list->destination);
}

void
scheduler_pause(struct scheduler *s, enum pause_kind kind, struct span name)
{
	struct span folded;

	if (!pauses_add(&s->pauses, kind, name))
		return;
	folded = span_str(pauses_find(&s->pauses, kind, name));
	if (kind == PAUSE_DESTINATION)
		set_paused(s, folded, true);
	else
		update_lanes(s, waitlist_pause_sender(&s->lists, folded));
}

void
scheduler_continue(struct scheduler *s, enum pause_kind kind, struct span name)
{
	const char *folded = pauses_find(&s->pauses, kind, name);

	if (folded == NULL)
		return;
	if (kind == PAUSE_DESTINATION)
		set_paused(s, span_str(folded), false);
	else
		update_lanes(s, waitlist_continue_sender(&s->lists, span_str(folded)));
	(void)pauses_remove(&s->pauses, kind, name);
}
