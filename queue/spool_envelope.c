/* spool_envelope: what travels with a message's content. See spool_envelope.h. */
#include "queue/spool_envelope.h"

#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "common/wire.h"
#include "common/xalloc.h"

#define RELEASE_MAX 253402300799 /* the year 9999 ends */

int
envelope_format(const struct envelope *e, struct buf *out)
{
	struct wire_out w;
	int r;

	wire_out_init(&w, "envelope", 0);
	wire_add(&w, "from", e->from);
	wire_add_unless_empty(&w, "client", e->client);
	wire_add_unless_empty(&w, "helo", e->helo);
	wire_add_unless_empty(&w, "auth", e->auth);
	if (e->uid >= 0)
		wire_add_u64(&w, "uid", (uint64_t)e->uid);
	if (e->eight_bit)
		wire_add_str(&w, "eight-bit", "yes");
	if (e->utf8)
		wire_add_str(&w, "utf8", "yes");
	wire_add_unless_empty(&w, "envid", e->envid);
	wire_add_unless_empty(&w, "ret", e->ret);
	wire_add_unless_empty(&w, "bounce-of", e->bounce_of);
	if (e->release > 0)
		wire_add_u64(&w, "release", (uint64_t)e->release);
	wire_add_unless_empty(&w, "hold", e->hold);
	wire_add_unless_empty(&w, "bounce-entries", e->bounce_entries);
	wire_add_unless_empty(&w, "bounce-delayed", e->bounce_delayed);
	for (size_t i = 0; i < e->nrecipients; i++) {
		wire_add(&w, "rcpt", e->recipients[i].address);
		wire_add_unless_empty(&w, "orcpt", e->recipients[i].orcpt);
		wire_add_unless_empty(&w, "notify", e->recipients[i].notify);
	}
	r = w.text.len > ENVELOPE_MAX ? -1 : buf_add_span(out, buf_span(&w.text));
	wire_out_release(&w);
	return r;
}

void
envelope_pad(struct buf *text, size_t len)
{
	text->max = text->max > len ? text->max : len;
	if (len < text->len + ENVELOPE_PAD_MIN)
		abort(); /* who asks has reserved enough */
	(void)buf_add_str(text, "pad=");
	while (text->len < len - 1)
		(void)buf_add_char(text, ' ');
	(void)buf_add_char(text, '\n');
}

static int
take_field(struct envelope *e, const struct wire_field *f)
{
	struct envelope_recipient *last =
	    e->nrecipients > 0 ? &e->recipients[e->nrecipients - 1] : NULL;
	uint64_t uid, release;

	if (span_is(f->name, "rcpt"))
		e->recipients[e->nrecipients++] =
		    (struct envelope_recipient){.address = f->value};
	else if (span_is(f->name, "orcpt") && last != NULL)
		last->orcpt = f->value;
	else if (span_is(f->name, "notify") && last != NULL)
		last->notify = f->value;
	else if (span_is(f->name, "from"))
		e->from = f->value;
	else if (span_is(f->name, "client"))
		e->client = f->value;
	else if (span_is(f->name, "helo"))
		e->helo = f->value;
	else if (span_is(f->name, "auth"))
		e->auth = f->value;
	else if (span_is(f->name, "envid"))
		e->envid = f->value;
	else if (span_is(f->name, "ret"))
		e->ret = f->value;
	else if (span_is(f->name, "bounce-of"))
		e->bounce_of = f->value;
	else if (span_is(f->name, "bounce-entries"))
		e->bounce_entries = f->value;
	else if (span_is(f->name, "hold"))
		e->hold = f->value;
	else if (span_is(f->name, "bounce-delayed"))
		e->bounce_delayed = f->value;
	else if (span_is(f->name, "eight-bit"))
		e->eight_bit = span_is(f->value, "yes");
	else if (span_is(f->name, "utf8"))
		e->utf8 = span_is(f->value, "yes");
	else if (span_is(f->name, "release") &&
		 span_to_u64(f->value, RELEASE_MAX, &release) == 0)
		e->release = (int64_t)release;
	else if (span_is(f->name, "uid") && span_to_u64(f->value, UINT32_MAX, &uid) == 0)
		e->uid = (int64_t)uid;
	else if (!span_is(f->name, "pad"))
		return -1;
	return 0;
}

int
envelope_parse(struct span text, struct envelope *e)
{
	struct wire_fields fields = {0};
	struct wire_msg m;
	int r = -1;

	*e = (struct envelope){.uid = -1};
	e->arena = xspandup(text);
	if (wire_parse(e->arena, text.len, &fields, &m) != 0 || !span_is(m.verb, "envelope"))
		goto done;
	e->recipients = xcalloc(m.nfields, sizeof *e->recipients);
	e->from.p = NULL;
	for (size_t i = 0; i < m.nfields; i++)
		if (take_field(e, &m.fields[i]) != 0)
			goto done;
	if (e->from.p == NULL || e->nrecipients == 0)
		goto done;
	r = 0;
done:
	wire_fields_release(&fields);
	if (r != 0)
		envelope_release(e);
	return r;
}

void
envelope_release(struct envelope *e)
{
	free(e->arena);
	free(e->recipients);
	*e = (struct envelope){.uid = -1};
}
