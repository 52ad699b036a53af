/* resolved: the directory's answer to `resolve`. See resolved.h. */
#include "queue/resolved.h"

#include <stdlib.h>

#include "common/limits.h"
#include "common/xalloc.h"

static bool
target_ok(const struct resolved_target *t)
{
	return t->address.len > 0 && t->address.len <= ADDRESS_MAX &&
	       !span_has_control(t->address) && t->destination.len > 0 &&
	       t->destination.len <= ADDRESS_MAX && !span_has_control(t->destination);
}

static int
take_field(struct resolved *r, const struct wire_field *f)
{
	struct resolved_target *t = r->n > 0 ? &r->targets[r->n - 1] : NULL;

	if (span_is(f->name, "target")) {
		if (t != NULL && !target_ok(t))
			return -1;
		if (!span_is(f->value, "mailbox") && !span_is(f->value, "remote"))
			return -1;
		r->targets[r->n++].kind =
		    span_is(f->value, "mailbox") ? RECIPIENT_MAILBOX : RECIPIENT_REMOTE;
	} else if (span_is(f->name, "address") && t != NULL) {
		t->address = f->value;
	} else if (span_is(f->name, "destination") && t != NULL) {
		t->destination = f->value;
	}
	return 0;
}

int
resolved_parse(const struct wire_msg *answer, struct resolved *r)
{
	*r = (struct resolved){.n = 0};
	if (wire_get_verdict(answer, &r->verdict) != 0)
		return -1;
	if (r->verdict.kind != VERDICT_OK)
		return 0;
	r->targets = xcalloc(answer->nfields, sizeof *r->targets);
	for (size_t i = 0; i < answer->nfields; i++)
		if (take_field(r, &answer->fields[i]) != 0)
			goto bad;
	if (r->n == 0 || !target_ok(&r->targets[r->n - 1]))
		goto bad;
	return 0;
bad:
	resolved_release(r);
	return -1;
}

void
resolved_release(struct resolved *r)
{
	free(r->targets);
	r->targets = NULL;
	r->n = 0;
}
