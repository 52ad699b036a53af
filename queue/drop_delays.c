/* drop_delays: files of drop/ that were put off. See drop_delays.h. */
#include "queue/drop_delays.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/xalloc.h"

void
drop_delays_init(struct drop_delays *d)
{
	LIST_INIT(&d->all);
	hash_init(&d->names);
}

static void
forget(struct drop_delays *d, struct drop_delay *e)
{
	LIST_REMOVE(e, link);
	(void)hash_remove(&d->names, span_str(e->name));
	free(e);
}

void
drop_delays_release(struct drop_delays *d)
{
	while (!LIST_EMPTY(&d->all))
		forget(d, LIST_FIRST(&d->all));
	hash_release(&d->names);
	drop_delays_init(d);
}

void
drop_delays_put_off(struct drop_delays *d, const char *name, uint64_t now)
{
	struct drop_delay *e = hash_find(&d->names, span_str(name));

	if (e == NULL) {
		e = xcalloc(1, sizeof *e);
		e->interval = DROP_DELAY_FIRST_MS / 2;
		e->seen = true;
		snprintf(e->name, sizeof e->name, "%s", name);
		LIST_INSERT_HEAD(&d->all, e, link);
		(void)hash_insert(&d->names, span_str(e->name), e);
	}
	e->interval =
	    e->interval * 2 < DROP_DELAY_MOST_MS ? e->interval * 2 : DROP_DELAY_MOST_MS;
	e->until = now + e->interval;
}

bool
drop_delays_may_try(struct drop_delays *d, const char *name, uint64_t now)
{
	struct drop_delay *e = hash_find(&d->names, span_str(name));

	if (e == NULL)
		return true;
	e->seen = true;
	return now >= e->until;
}

void
drop_delays_begin_look(struct drop_delays *d)
{
	struct drop_delay *e;

	LIST_FOREACH (e, &d->all, link)
		e->seen = false;
}

void
drop_delays_end_look(struct drop_delays *d)
{
	struct drop_delay *e, *next;

	for (e = LIST_FIRST(&d->all); e != NULL; e = next) {
		next = LIST_NEXT(e, link);
		if (!e->seen)
			forget(d, e);
	}
}
