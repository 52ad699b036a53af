/* config_destination: what holds for one next hop. See config_destination.h. */
#include "conf/config_destination.h"

#include <stdlib.h>
#include <string.h>

/* The order of strcmp, which the arrays are sorted in, for a span. */
static int
compare(struct span key, const char *name)
{
	size_t len = strlen(name), n = key.len < len ? key.len : len;
	int r = n > 0 ? memcmp(key.p, name, n) : 0;

	return r != 0 ? r : (key.len > len) - (key.len < len);
}

static int
compare_destination(const void *key, const void *d)
{
	return compare(*(const struct span *)key, ((const struct config_destination *)d)->name);
}

static int
compare_status(const void *key, const void *s)
{
	return compare(
	    *(const struct span *)key, ((const struct config_retry_status *)s)->status);
}

static const struct config_destination *
find_exact(const struct config *c, struct span name)
{
	if (name.len == 0 || c->ndestinations == 0)
		return NULL;
	return bsearch(&name, c->destinations, c->ndestinations, sizeof *c->destinations,
	    compare_destination);
}

/* The longest ".suffix" of the name. A host in brackets has none: it is no domain. */
static const struct config_destination *
find_suffix(const struct config *c, struct span name)
{
	const struct config_destination *d = NULL;
	ptrdiff_t dot;

	if (span_starts_with(name, "["))
		return NULL;
	while (d == NULL && (dot = span_index(name, '.')) >= 0) {
		d = find_exact(c, span_skip(name, (size_t)dot));
		name = span_skip(name, (size_t)dot + 1);
	}
	return d;
}

const struct config_destination *
config_destination_find(const struct config *c, struct span next_hop, struct span domain)
{
	const struct config_destination *d = find_exact(c, next_hop), *other;

	if (d == NULL)
		d = find_exact(c, domain);
	if (d != NULL)
		return d;
	d = find_suffix(c, next_hop);
	other = find_suffix(c, domain);
	if (d == NULL || (other != NULL && strlen(other->name) > strlen(d->name)))
		return other;
	return d;
}

static const struct config_retry_status *
find_status(const struct config *c, struct span status)
{
	if (c->nretry_statuses == 0)
		return NULL;
	return bsearch(&status, c->retry_statuses, c->nretry_statuses,
	    sizeof *c->retry_statuses, compare_status);
}

struct config_intervals
config_retry_find(const struct config *c, const struct config_destination *d,
    const char *status, bool reached)
{
	struct span exact = span_str(status);
	ptrdiff_t last = span_rindex(exact, '.');
	const struct config_retry_status *s;

	if (d != NULL && d->nretry > 0)
		return (struct config_intervals){d->retry, d->nretry};
	s = find_status(c, exact);
	if (s == NULL && !reached)
		s = find_status(c, span_str("unreachable"));
	if (s == NULL && last > 0)
		s = find_status(c, span_first(exact, (size_t)last));
	if (s != NULL && s->nretry > 0)
		return (struct config_intervals){s->retry, s->nretry};
	return (struct config_intervals){c->retry, c->nretry};
}

uint64_t
config_lifetime_find(
    const struct config *c, const struct config_destination *d, bool null_sender)
{
	uint64_t lifetime = d != NULL && d->lifetime > 0 ? d->lifetime : c->queue_lifetime;

	return null_sender && c->bounce_lifetime < lifetime ? c->bounce_lifetime : lifetime;
}
