/* txn: a mail transaction. See txn.h. Owned by the session; MAIL makes it, RCPT fills it, DATA completes it. */
#include "smtpd/txn.h"

#include <stdlib.h>

#include "common/limits.h"
#include "common/xalloc.h"
#include "queue/spool_envelope.h"
#include "smtpd/content.h"

struct txn *
txn_new(struct span from)
{
	struct txn *t = xcalloc(1, sizeof *t);

	arena_init(&t->strings);
	recipients_init(&t->recipients);
	t->from = arena_copy(&t->strings, from);
	return t;
}

void
txn_free(struct txn **tp)
{
	struct txn *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	content_free(&t->content);
	recipients_release(&t->recipients);
	arena_release(&t->strings);
	free(t);
}

/* Escapes double an octet at most, names and line ends are shorter than an address may be. */
bool
txn_is_full(const struct txn *t)
{
	return t->strings.octets + t->recipients.n * 32 > ENVELOPE_MAX / 4;
}

void
txn_hold(struct txn *t, const char *rule, struct span text)
{
	if (t->hold.len > 0)
		return;
	/* Held is held, whether or not somebody says why. */
	t->hold = arena_copy(&t->strings, text.len > 0 ? text : span_str(rule));
	t->hold_rule = rule;
}

bool
txn_is_kept(const struct txn *t)
{
	for (size_t i = 0; i < t->recipients.n; i++)
		if (!t->recipients.v[i].discard)
			return true;
	return false;
}

int
txn_format_envelope(const struct txn *t, const struct txn_origin *o, struct buf *out)
{
	struct envelope e = {
	    .from = t->from,
	    .client = o->client,
	    .helo = o->helo,
	    .auth = o->auth,
	    .uid = o->uid,
	    .eight_bit = t->eight_bit || (t->content != NULL && t->content->eight_bit),
	    .utf8 = t->utf8,
	    .release = t->release,
	    .envid = t->envid,
	    .ret = t->ret,
	    .hold = t->hold,
	};
	int r;

	e.recipients = xcalloc(t->recipients.n, sizeof *e.recipients);
	for (size_t i = 0; i < t->recipients.n; i++) {
		const struct recipient *one = &t->recipients.v[i];

		if (one->discard)
			continue;
		e.recipients[e.nrecipients++] = (struct envelope_recipient){
		    .address = one->address, .orcpt = one->orcpt, .notify = one->notify};
	}
	r = envelope_format(&e, out);
	free(e.recipients);
	return r;
}
