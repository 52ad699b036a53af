/* queue_filter: which messages a command means. See queue_filter.h. */
#include "queue/queue_filter.h"

#include "queue/spool_record.h"

int
queue_filter_parse(const struct wire_msg *m, struct queue_filter *f)
{
	struct span id;

	*f = (struct queue_filter){.id = 0};
	(void)wire_get(m, "sender", &f->sender);
	(void)wire_get(m, "recipient", &f->recipient);
	(void)wire_get(m, "domain", &f->domain);
	if (wire_get(m, "id", &id) == 0)
		return spool_id_parse(id, &f->id);
	return 0;
}

bool
queue_filter_recipient(const struct queue_filter *f, const struct recipient *r)
{
	struct span a = span_str(r->address);
	ptrdiff_t at = span_rindex(a, '@');

	if (r->state == RECIPIENT_SETTLED)
		return false;
	if (f->recipient.p != NULL && !span_eq_nocase(f->recipient, a))
		return false;
	return f->domain.p == NULL ||
	       (at >= 0 && span_eq_nocase(f->domain, span_skip(a, (size_t)at + 1)));
}

bool
queue_filter_message(const struct queue_filter *f, const struct message *m)
{
	if (f->id != 0 && f->id != m->number)
		return false;
	if (f->sender.p != NULL && !span_eq_nocase(f->sender, span_str(m->from)))
		return false;
	for (uint32_t i = 0; i < m->nrecipients; i++)
		if (queue_filter_recipient(f, message_recipient(m, i)))
			return true;
	return false;
}
