/*
 * window: a destination's concurrency. See window.h. Invariant: size is between one
 * place and cap places.
 */
#include "queue/window.h"

#define PLACE 1000U

void
window_init(struct window *w, uint32_t cap)
{
	*w = (struct window){
	    .cap = cap, .size = (cap < WINDOW_START ? cap : WINDOW_START) * PLACE};
}

void
window_set_cap(struct window *w, uint32_t cap)
{
	w->cap = cap;
	if (w->size > cap * PLACE)
		w->size = cap * PLACE;
}

uint32_t
window_places(const struct window *w)
{
	return w->size / PLACE;
}

/* One job's share of the window, in thousandths: of a place, and of the whole, for it is n places of 1/n each. */
static uint32_t
share(const struct window *w)
{
	return PLACE * PLACE / w->size;
}

void
window_succeed(struct window *w, uint32_t active)
{
	w->failed = 0;
	if (active < window_places(w))
		return;
	w->size += share(w);
	window_set_cap(w, w->cap);
}

bool
window_fail(struct window *w)
{
	uint32_t less = share(w);

	w->failed += less;
	w->size = w->size > PLACE + less ? w->size - less : PLACE;
	return w->failed >= WINDOW_COHORTS * PLACE;
}
