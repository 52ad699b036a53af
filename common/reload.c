/* reload: a new configuration on its way to all processes. See reload.h and doc/IPC.md. */
#include "common/reload.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"

struct reload {
	const struct reload_ops *ops;
	void *arg;
	struct event *timer; /* of the stage */
	struct child *const *children;
	size_t n;
	bool under_way;
	unsigned stage; /* that was told last; those above have taken it */
};

/* Does it run, and has it not taken what it was told? What it was started with does not count: one that ended meanwhile and is
 * started again has no old configuration. */
static bool
is_awaited(const struct child *c)
{
	return child_pid(c) > 0 && child_owes(c) > (child_state(c) == CHILD_STARTING ? 1U : 0U);
}

static bool
stage_has_taken(const struct reload *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (child_row(r->children[i])->stop_stage == r->stage &&
		    is_awaited(r->children[i]))
			return false;
	return true;
}

static void
tell_stage(struct reload *r)
{
	if (r->stage == 0)
		r->ops->before_last(r->arg);
	for (size_t i = 0; i < r->n; i++)
		if (child_row(r->children[i])->stop_stage == r->stage &&
		    child_pid(r->children[i]) > 0)
			r->ops->tell(r->children[i], r->arg);
	if (r->stage == 0)
		r->ops->all_told(r->arg);
	event_add(
	    r->timer, &(struct timeval){RELOAD_STAGE_MS / 1000, RELOAD_STAGE_MS % 1000 * 1000});
}

/* Names each process that does not work by it. */
static bool
is_complete(const struct reload *r)
{
	bool complete = true;

	for (size_t i = 0; i < r->n; i++) {
		const struct child *c = r->children[i];
		const char *why = is_awaited(c) ? "has not taken the new configuration yet"
				  : child_pid(c) > 0 && child_refused(c)
				      ? "keeps its old configuration"
				      : NULL;

		if (why == NULL)
			continue;
		log_warnx("process=%s worker=%u pid=%d %s", child_row(c)->name, child_worker(c),
		    (int)child_pid(c), why);
		complete = false;
	}
	return complete;
}

static void
next_stage(struct reload *r)
{
	if (r->stage > 0) {
		r->stage--;
		tell_stage(r);
		return;
	}
	reload_stop(r);
	r->ops->done(is_complete(r), r->arg);
}

void
reload_go_on(struct reload *r)
{
	while (r->under_way && stage_has_taken(r))
		next_stage(r);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct reload *r = arg;

	(void)fd, (void)what;
	next_stage(r);
	reload_go_on(r);
}

struct reload *
reload_new(struct event_base *base, const struct reload_ops *ops, void *arg)
{
	struct reload *r = xcalloc(1, sizeof *r);

	r->ops = ops;
	r->arg = arg;
	r->timer = evtimer_new(base, on_timer, r);
	if (r->timer == NULL)
		fatalx("cannot make a timer");
	return r;
}

void
reload_free(struct reload **rp)
{
	struct reload *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	event_free(r->timer);
	free(r);
}

void
reload_begin(struct reload *r, struct child *const *children, size_t n)
{
	r->children = children;
	r->n = n;
	r->under_way = true;
	r->stage = PROCESS_STAGES;
	reload_go_on(r);
}

bool
reload_is_under_way(const struct reload *r)
{
	return r->under_way;
}

void
reload_stop(struct reload *r)
{
	r->under_way = false;
	event_del(r->timer);
}
