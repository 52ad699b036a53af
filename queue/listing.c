/*
 * listing: the queue manager's list of messages. See listing.h. Invariant: a
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

static int
message_field(struct listing_message *m, const struct wire_field *f)
{
	if (span_is(f->name, "from"))
		m->from = f->value;
	else if (span_is(f->name, "size"))
		return to_u64(f->value, &m->size);
	else if (span_is(f->name, "received"))
		return to_time(f->value, &m->received);
	return 0;
}

static int
recipient_field(struct listing_recipient *r, const struct wire_field *f)
{
	if (span_is(f->name, "address"))
		r->address = f->value;
	else if (span_is(f->name, "state"))
		r->state = f->value;
	else if (span_is(f->name, "attempts"))
		return to_u64(f->value, &r->attempts);
	else if (span_is(f->name, "next"))
		return to_time(f->value, &r->next);
	else if (span_is(f->name, "code"))
		return to_u64(f->value, &r->code);
	else if (span_is(f->name, "status"))
		r->status = f->value;
	else if (span_is(f->name, "text"))
		r->text = f->value;
	else if (span_is(f->name, "mta"))
		r->mta = f->value;
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
	if (m == NULL || span_is(f->name, "more"))
		return 0; /* the verdict in front, the mark at the end */
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
listing_parse(const struct wire_msg *answer, struct listing *l)
{
	size_t messages = 0, recipients = 0;

	for (size_t i = 0; i < answer->nfields; i++) {
		messages += span_is(answer->fields[i].name, "message");
		recipients += span_is(answer->fields[i].name, "rcpt");
	}
	*l = (struct listing){.more = wire_is_yes(answer, "more")};
	l->messages = xcalloc(messages, sizeof *l->messages);
	l->recipients = xcalloc(recipients, sizeof *l->recipients);
	for (size_t i = 0; i < answer->nfields; i++) {
		if (take_field(l, &answer->fields[i]) != 0) {
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
