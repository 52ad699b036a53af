/*
 * sendmail_envelope: sender and recipients of one submission. See
 * sendmail_envelope.h. Called by sendmail_main.c. Invariant: the sender has passed
 * common/address.h, as every recipient has.
 */
#include "queue/sendmail_envelope.h"

#include "common/buf.h"
#include "common/address_list.h"

int
sendmail_envelope_set_sender(
    struct sendmail_envelope *e, const char *text, const char *hostname, const char **why)
{
	struct address_list l;
	struct address_list_item item, more;
	struct buf whole;
	int r;

	*why = "it holds a control character";
	if (span_has_control(span_str(text)))
		return -1;
	if (text[0] == '\0')
		return address_parse(span_str(text), ADDRESS_ALLOW_EMPTY, &e->from, why);
	*why = "it is no address";
	address_list_init(&l, span_str(text));
	if (address_list_next(&l, &item) != ADDRESS_LIST_ITEM ||
	    address_list_next(&l, &more) != ADDRESS_LIST_END)
		return -1;
	buf_init(&whole, ADDRESS_LIST_TEXT_MAX + DOMAIN_MAX + 1);
	buf_addf(&whole, "%s%s%s", item.text, item.qualified ? "" : "@",
	    item.qualified ? "" : hostname);
	r = address_parse(buf_span(&whole), ADDRESS_UTF8, &e->from, why);
	buf_release(&whole);
	return r;
}

bool
sendmail_envelope_is_utf8(const struct sendmail_envelope *e)
{
	return e->from.utf8 || e->recipients.utf8;
}
