/*
 * listing: a part of the queue manager's list of messages. See listing.h. Invariant: a
 * field belongs to the message or recipient begun last before it.
 */
#include "queue/listing.h"

#include <stdlib.h>

#include "common/xalloc.h"

static int
to_u64(struct span s, uint64_t *v)
{
	return span_to_u64(s, INT64_MAX, v);
}

static int
to_time(struct span s, int64_t *v)
{
	uint64_t u;

	if (to_u64(s, &u) != 0)
		return -1;
	*v = (int64_t)u;
	return 0;
}

/* Where a message keeps a field that is text, NULL if it has none of that name. */
static struct span *
message_text(struct listing_message *m, struct span name)
{
	return span_is(name, "from")	 ? &m->from
	       : span_is(name, "client") ? &m->client
	       : span_is(name, "helo")	 ? &m->helo
	       : span_is(name, "auth")	 ? &m->auth
	       : span_is(name, "uid")	 ? &m->uid
	       : span_is(name, "envid")	 ? &m->envid
	       : span_is(name, "ret")	 ? &m->ret
					 : NULL;
}

static int
message_field(struct listing_message *m, const struct wire_field *f)
{
	struct span *text = message_text(m, f->name);

	if (text != NULL)
		*text = f->value;
	else if (span_is(f->name, "size"))
		return to_u64(f->value, &m->size);
	else if (span_is(f->name, "received"))
		return to_time(f->value, &m->received);
	else if (span_is(f->name, "continued"))
		m->continued = span_is(f->value, "yes");
	return 0;
}

static struct span *
recipient_text(struct listing_recipient *r, struct span name)
{
	return span_is(name, "address")	      ? &r->address
	       : span_is(name, "state")	      ? &r->state
	       : span_is(name, "destination") ? &r->destination
	       : span_is(name, "status")      ? &r->status
	       : span_is(name, "text")	      ? &r->text
	       : span_is(name, "mta")	      ? &r->mta
	       : span_is(name, "paused")      ? &r->paused
	       : span_is(name, "why")	      ? &r->why
	       : span_is(name, "notify")      ? &r->notify
	       : span_is(name, "orcpt")	      ? &r->original
					      : NULL;
}

static int
recipient_field(struct listing_recipient *r, const struct wire_field *f)
{
	struct span *text = recipient_text(r, f->name);

	if (text != NULL)
		*text = f->value;
	else if (span_is(f->name, "attempts"))
		return to_u64(f->value, &r->attempts);
	else if (span_is(f->name, "next"))
		return to_time(f->value, &r->next);
	else if (span_is(f->name, "code"))
		return to_u64(f->value, &r->code);
	else if (span_is(f->name, "future"))
		r->future = span_is(f->value, "yes");
	else if (span_is(f->name, "parent")) {
		r->expanded = true;
		return to_u64(f->value, &r->parent);
	}
	return 0;
}

static int
take_field(struct listing *l, const struct wire_field *f)
{
	struct listing_message *m = l->nmessages > 0 ? &l->messages[l->nmessages - 1] : NULL;

	if (span_is(f->name, "message")) {
		l->messages[l->nmessages++] = (struct listing_message){
		    .id = f->value, .recipients = l->recipients + l->nrecipients};
		return 0;
	}
	if (m == NULL)
		return 0; /* totals */
	if (span_is(f->name, "rcpt")) {
		struct listing_recipient *r = &l->recipients[l->nrecipients++];

		*r = (struct listing_recipient){.entry = 0};
		m->nrecipients++;
		return to_u64(f->value, &r->entry);
	}
	if (m->nrecipients == 0)
		return message_field(m, f);
	return recipient_field(&m->recipients[m->nrecipients - 1], f);
}

int
listing_parse(const struct wire_msg *frame, struct listing *l)
{
	size_t messages = 0, recipients = 0;

	for (size_t i = 0; i < frame->nfields; i++) {
		messages += span_is(frame->fields[i].name, "message");
		recipients += span_is(frame->fields[i].name, "rcpt");
	}
	*l = (struct listing){.nmessages = 0};
	l->messages = xcalloc(messages, sizeof *l->messages);
	l->recipients = xcalloc(recipients, sizeof *l->recipients);
	for (size_t i = 0; i < frame->nfields; i++) {
		if (take_field(l, &frame->fields[i]) != 0) {
			listing_release(l);
			return -1;
		}
	}
	return 0;
}

void
listing_release(struct listing *l)
{
	free(l->messages);
	free(l->recipients);
	*l = (struct listing){.nmessages = 0};
}
