/* drop_delays: files of drop/ that were put off. See drop_delays.h. */
#include "queue/drop_delays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xalloc.h"

void
drop_delays_init(struct drop_delays *d)
{
	*d = (struct drop_delays){.n = 0};
}

void
drop_delays_release(struct drop_delays *d)
{
	free(d->v);
	drop_delays_init(d);
}

static struct drop_delay *
find(struct drop_delays *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->v[i].name, name) == 0)
			return &d->v[i];
	return NULL;
}

void
drop_delays_put_off(struct drop_delays *d, const char *name, uint64_t now)
{
	struct drop_delay *e = find(d, name);

	if (e == NULL) {
		if (d->n == d->cap) {
			d->cap = d->cap > 0 ? d->cap * 2 : 16;
			d->v = xreallocarray(d->v, d->cap, sizeof *d->v);
		}
		e = &d->v[d->n++];
		*e = (struct drop_delay){.interval = DROP_DELAY_FIRST_MS / 2, .seen = true};
		snprintf(e->name, sizeof e->name, "%s", name);
	}
	e->interval =
	    e->interval * 2 < DROP_DELAY_MOST_MS ? e->interval * 2 : DROP_DELAY_MOST_MS;
	e->until = now + e->interval;
}

bool
drop_delays_may_try(struct drop_delays *d, const char *name, uint64_t now)
{
	struct drop_delay *e = find(d, name);

	if (e == NULL)
		return true;
	e->seen = true;
	return now >= e->until;
}

void
drop_delays_begin_look(struct drop_delays *d)
{
	for (size_t i = 0; i < d->n; i++)
		d->v[i].seen = false;
}

void
drop_delays_end_look(struct drop_delays *d)
{
	for (size_t i = 0; i < d->n;)
		if (d->v[i].seen)
			i++;
		else
			d->v[i] = d->v[--d->n];
}
