/*
 * smtp_slices: a transaction of ours as one or more of SMTP's. A server may take fewer
 * recipients at a time than a message has (RCPTMAX, RFC 9422), fewer messages in a session
 * (MAILMAX), and no address in UTF-8 (RFC 6531 3.2: what can be told without asking is told here). A
 * part of smtp_client.c, called by smtp_transaction.c.
 *
 * Invariant: slice.who are recipients undecided when the transaction began; those of one slice
 * are slice.who[first] to slice.who[first + n - 1].
 */
#include <stdlib.h>

#include "common/utf8.h"
#include "common/xalloc.h"
#include "deliver/smtp_client_internal.h"

static bool
needs_utf8(const struct smtp_recipient *r)
{
	return !utf8_is_ascii(span_str(r->address));
}

void
smtp_slices_init(struct smtp_client *c)
{
	struct smtp_slices *s = &c->slice;

	smtp_slices_release(c);
	s->who = xcalloc(c->t->nrecipients, sizeof *s->who);
	for (size_t i = 0; i < c->t->nrecipients; i++)
		if (!c->t->recipients[i].decided)
			s->who[s->nwho++] = i;
}

void
smtp_slices_release(struct smtp_client *c)
{
	free(c->slice.who);
	c->slice = (struct smtp_slices){.who = NULL};
}

bool
smtp_slices_begin(struct smtp_client *c)
{
	struct smtp_slices *s = &c->slice;

	s->first += s->n;
	s->n = s->nwho - s->first;
	if (c->limits.rcpt > 0 && s->n > c->limits.rcpt)
		s->n = c->limits.rcpt;
	s->utf8 = c->utf8 && (c->t->utf8 || c->t->utf8_given);
	for (size_t i = 0; c->utf8 && i < s->n; i++)
		s->utf8 = s->utf8 || needs_utf8(smtp_slices_at(c, i));
	return s->n > 0;
}

struct smtp_recipient *
smtp_slices_at(struct smtp_client *c, size_t i)
{
	return &c->t->recipients[c->slice.who[c->slice.first + i]];
}

bool
smtp_slices_more(const struct smtp_client *c)
{
	const struct smtp_slices *s = &c->slice;

	for (size_t i = s->first + s->n; i < s->nwho; i++)
		if (!c->t->recipients[s->who[i]].decided)
			return true;
	return false;
}

void
smtp_slices_refuse_utf8(struct smtp_client *c)
{
	struct verdict v;

	verdict_set(&v, VERDICT_PERMANENT, 553, "5.6.7",
	    "%s takes no internationalized addresses (SMTPUTF8)", c->peer);
	for (size_t i = 0; i < c->t->nrecipients; i++) {
		struct smtp_recipient *r = &c->t->recipients[i];

		if (r->decided || !needs_utf8(r))
			continue;
		r->verdict = v;
		r->decided = true;
	}
}
