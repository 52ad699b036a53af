/* author_scan: whom a message says it is from. See author_scan.h. Called by content. */
#include "smtpd/author_scan.h"

#include <stdlib.h>

#include "common/address.h"
#include "common/address_list.h"
#include "common/mime_field.h"
#include "common/xalloc.h"

static void
mark_unclear(struct author_scan *s, const char *why)
{
	if (s->unclear == NULL)
		s->unclear = why;
}

static void
take_address(struct author_scan *s, const char *field, const struct address_list_item *item)
{
	struct address a;
	const char *why;

	if (address_parse(span_make(item->text, item->len), ADDRESS_UTF8, &a, &why) != 0) {
		mark_unclear(s, "what stands in From or Sender is no address");
	} else if (s->n == AUTHOR_SCAN_MAX) {
		mark_unclear(s, "too many addresses in From and Sender");
	} else {
		s->n++;
		s->from += field[0] == 'F';
		buf_addf(&s->list, "%s %s\n", field, a.text);
	}
}

static void
take_field(struct author_scan *s, const char *field, struct span value)
{
	struct address_list_item item;
	struct address_list list;
	enum address_list_result r;

	address_list_init(&list, value);
	while ((r = address_list_next(&list, &item)) != ADDRESS_LIST_END) {
		if (r == ADDRESS_LIST_BAD)
			mark_unclear(s, "From or Sender cannot be understood");
		else
			take_address(s, field, &item);
	}
}

static void
on_field(const struct mime_field *f, void *arg)
{
	struct author_scan *s = arg;
	struct span name = mime_field_name(f->text);
	bool from = span_is_nocase(name, "From");

	if (f->where != MIME_MESSAGE || (!from && !span_is_nocase(name, "Sender")))
		return;
	if (f->cut)
		mark_unclear(s, "From or Sender is too long");
	else
		take_field(s, from ? "From" : "Sender", mime_field_value(f->text));
}

struct author_scan *
author_scan_new(void)
{
	struct author_scan *s = xcalloc(1, sizeof *s);

	buf_init(&s->list, AUTHOR_SCAN_MAX * (ADDRESS_MAX + 16));
	mime_scan_init(&s->scan, on_field, s);
	return s;
}

void
author_scan_free(struct author_scan **sp)
{
	struct author_scan *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	mime_scan_release(&s->scan);
	buf_release(&s->list);
	free(s);
}

static void
end(struct author_scan *s)
{
	s->done = true;
	if (s->from == 0)
		mark_unclear(s, "there is no address in From");
}

void
author_scan_feed(struct author_scan *s, struct span content)
{
	if (s->done)
		return;
	mime_scan_feed(&s->scan, content);
	/* The message's own header is over; what its parts say is nobody's name. */
	if (!s->scan.in_header || s->scan.where != MIME_MESSAGE)
		end(s);
}

void
author_scan_finish(struct author_scan *s)
{
	if (s->done)
		return;
	mime_scan_finish(&s->scan);
	end(s);
}
