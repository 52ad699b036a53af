/* recipient: the recipients of a transaction. See recipient.h. */
#include "smtpd/recipient.h"

#include <stdlib.h>

#include "common/xalloc.h"

void
recipients_init(struct recipients *r)
{
	*r = (struct recipients){NULL, 0, 0};
}

void
recipients_release(struct recipients *r)
{
	free(r->v);
	recipients_init(r);
}

/* FNV-1a. Collisions cost a comparison, and the list is bounded by recipient-limit. */
static uint32_t
hash_of(struct span s)
{
	uint32_t h = 2166136261U;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619U;
	return h;
}

bool
recipients_has(const struct recipients *r, struct span address)
{
	uint32_t h = hash_of(address);

	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].hash == h && span_eq(r->v[i].address, address))
			return true;
	return false;
}

bool
recipients_has_hosted(const struct recipients *r, struct span address)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].hosted && span_eq_nocase(r->v[i].address, address))
			return true;
	return false;
}

void
recipients_add(struct recipients *r, const struct recipient *one)
{
	if (r->n == r->cap) {
		r->cap = r->cap > 0 ? r->cap * 2 : 4;
		r->v = xreallocarray(r->v, r->cap, sizeof *r->v);
	}
	r->v[r->n] = *one;
	r->v[r->n++].hash = hash_of(one->address);
}
