/*
 * sendmail_recipients: the envelope's recipients. See sendmail_recipients.h.
 * Invariant: every address in it has passed common/address.h and stands once.
 */
#include "queue/sendmail_recipients.h"

#include <stdlib.h>

#include "common/address.h"
#include "common/buf.h"
#include "common/xalloc.h"
#include "common/address_list.h"

void
sendmail_recipients_init(struct sendmail_recipients *r)
{
	*r = (struct sendmail_recipients){.n = 0};
	hash_init(&r->seen);
}

static void
recipient_free(struct sendmail_recipient *rcpt)
{
	free(rcpt->address);
	free(rcpt->verdict);
	free(rcpt);
}

void
sendmail_recipients_release(struct sendmail_recipients *r)
{
	for (size_t i = 0; i < r->n; i++)
		recipient_free(r->v[i]);
	free(r->v);
	hash_release(&r->seen);
	sendmail_recipients_init(r);
}

static void
append(struct sendmail_recipients *r, const struct address *a)
{
	struct sendmail_recipient *rcpt = xcalloc(1, sizeof *rcpt);

	rcpt->address = xspandup(address_span(a));
	if (r->n == r->cap) {
		r->cap = r->cap > 0 ? r->cap * 2 : 16;
		r->v = xreallocarray(r->v, r->cap, sizeof *r->v);
	}
	r->v[r->n++] = rcpt;
	hash_insert(&r->seen, span_str(rcpt->address), rcpt);
	r->utf8 = r->utf8 || a->utf8;
}

int
sendmail_recipients_add(struct sendmail_recipients *r, struct span text, bool qualified,
    const char *hostname, const char **why)
{
	struct address a;
	struct buf whole;
	int result;

	buf_init(&whole, ADDRESS_LIST_TEXT_MAX + DOMAIN_MAX + 1);
	result = buf_add_span(&whole, text);
	if (result == 0 && !qualified)
		result = buf_addf(&whole, "@%s", hostname);
	*why = "it is too long";
	if (result == 0)
		result = address_parse(buf_span(&whole), ADDRESS_UTF8, &a, why);
	buf_release(&whole);
	if (result != 0 || hash_find(&r->seen, address_span(&a)) != NULL ||
	    (r->except != NULL && hash_find(&r->except->seen, address_span(&a)) != NULL))
		return result;
	if (r->n == SENDMAIL_RECIPIENTS_MAX) {
		*why = "there are too many recipients";
		return -1;
	}
	append(r, &a);
	return 0;
}

int
sendmail_recipients_add_list(
    struct sendmail_recipients *r, struct span list, const char *hostname, const char **why)
{
	struct address_list l;
	struct address_list_item item;
	enum address_list_result result;
	bool any = false;

	*why = "it holds a control character";
	if (span_has_control(list))
		return -1;
	address_list_init(&l, list);
	while ((result = address_list_next(&l, &item)) == ADDRESS_LIST_ITEM) {
		if (sendmail_recipients_add(
			r, span_make(item.text, item.len), item.qualified, hostname, why) != 0)
			return -1;
		any = true;
	}
	*why = "it is no address";
	return result == ADDRESS_LIST_END && any ? 0 : -1;
}

size_t
sendmail_recipients_count(
    const struct sendmail_recipients *r, enum sendmail_recipient_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->v[i]->state == state;
	return n;
}

void
sendmail_recipient_decide(struct sendmail_recipient *rcpt, enum sendmail_recipient_state state,
    const struct verdict *v)
{
	free(rcpt->verdict);
	rcpt->verdict = NULL;
	rcpt->state = state;
	if (v != NULL) {
		rcpt->verdict = xmalloc(sizeof *v);
		*rcpt->verdict = *v;
	}
}

void
sendmail_recipients_decide_all(struct sendmail_recipients *r,
    enum sendmail_recipient_state from, enum sendmail_recipient_state to,
    const struct verdict *v)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i]->state == from)
			sendmail_recipient_decide(r->v[i], to, v);
	}
}
