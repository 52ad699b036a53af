/* summary: the queue by name and age. See summary.h. Called by control_summary and cmd_queue_summary. */
#include "queue/summary.h"

#include <stdlib.h>

#include "common/hash.h"
#include "common/xalloc.h"

const uint64_t summary_age_limits[SUMMARY_AGES - 1] = {
    600, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 48 * 3600};

struct summary {
	int64_t now;
	struct hash names;
	struct summary_row **rows;
	size_t nrows, cap;
	struct summary_row total;
};

struct summary *
summary_new(int64_t now)
{
	struct summary *s = xcalloc(1, sizeof *s);

	s->now = now;
	s->total.name = xstrdup("");
	hash_init(&s->names);
	return s;
}

void
summary_free(struct summary **sp)
{
	struct summary *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	for (size_t i = 0; i < s->nrows; i++) {
		free(s->rows[i]->name);
		free(s->rows[i]);
	}
	free(s->rows);
	free(s->total.name);
	hash_release(&s->names);
	free(s);
}

struct summary_row *
summary_find(const struct summary *s, const char *name)
{
	return hash_find(&s->names, span_str(name));
}

static struct summary_row *
obtain(struct summary *s, const char *name)
{
	struct summary_row *row = summary_find(s, name);

	if (row != NULL)
		return row;
	row = xcalloc(1, sizeof *row);
	row->name = xstrdup(name);
	if (s->nrows == s->cap) {
		s->cap = s->cap > 0 ? s->cap * 2 : 64;
		s->rows = xreallocarray(s->rows, s->cap, sizeof(*s->rows));
	}
	s->rows[s->nrows++] = row;
	(void)hash_insert(&s->names, span_str(row->name), row);
	return row;
}

static size_t
age_class(int64_t age_ms)
{
	size_t i = 0;

	while (i < SUMMARY_AGES - 1 && age_ms >= (int64_t)summary_age_limits[i] * 1000)
		i++;
	return i;
}

static void
count(struct summary_row *row, const struct recipient *r, size_t age)
{
	const struct message *m = r->message;

	if (row->recipients == 0 || m->received < row->oldest)
		row->oldest = m->received;
	row->messages += row->recipients == 0 || row->last != m->number;
	row->last = m->number;
	row->recipients++;
	row->ages[age]++;
	row->held += r->state == RECIPIENT_HELD;
	row->active += r->state == RECIPIENT_ACTIVE;
}

void
summary_add(struct summary *s, const char *name, const struct recipient *r)
{
	size_t age = age_class(s->now - r->message->received);

	count(obtain(s, name), r, age);
	count(&s->total, r, age);
}

static int
compare(const void *pa, const void *pb)
{
	const struct summary_row *a = *(struct summary_row *const *)pa;
	const struct summary_row *b = *(struct summary_row *const *)pb;

	if (a->recipients != b->recipients)
		return a->recipients > b->recipients ? -1 : 1;
	return strcmp(a->name, b->name);
}

struct summary_row **
summary_sorted(struct summary *s, size_t *n)
{
	if (s->nrows > 1)
		qsort(s->rows, s->nrows, sizeof(*s->rows), compare);
	*n = s->nrows;
	return s->rows;
}

const struct summary_row *
summary_total(const struct summary *s)
{
	return &s->total;
}

int64_t
summary_forecast(uint64_t n, uint64_t delivered, uint64_t window)
{
	double seconds;

	if (n == 0)
		return 0;
	if (delivered == 0 || window == 0)
		return -1;
	seconds = (double)n / (double)delivered * (double)window;
	return seconds < 1e15 ? (int64_t)(seconds + 0.5) : INT64_C(1000000000000000);
}
