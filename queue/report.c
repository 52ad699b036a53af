/*
 * report: what a report on a message says. See report.h.
 *
 * Two kinds of failure are recorded and told to nobody, since who would hear of them has likely
 * not sent anything: those of mail without a sender (RFC 5321 6.1), unless the postmaster
 * wants them; and mailboxes that refuse a message for having been there, by the header it came with, where
 * nothing vouches for its sender: whoever forges such a header and a sender makes
 * us write to a stranger. In a loop that is real the mailbox has the message already.
 */
#include "queue/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "conf/config_destination.h"
#include "queue/dsn.h"
#include "queue/scheduler.h"
#include "queue/spool_record.h"

/* Returned whole where nothing was asked for (RFC 3461 4.3 leaves it to us): small mail on few recipients. */
#define WHOLE_DEFAULT	 (64U << 10)
#define WHOLE_RECIPIENTS 100

static const char *const silences[] = {
    [REPORT_SPEAK] = "",
    [REPORT_NOT_ASKED] = "its sender asked not to be told",
    [REPORT_NO_SENDER] = "it has no sender",
    [REPORT_FORGED_LOOP] = "it has been in this mailbox, and nothing vouches for its sender",
};

const char *
report_silence_text(enum report_silence silence)
{
	return silences[silence];
}

/* Is it known who sent it: a user here, by uid or login? */
static bool
is_vouched_for(const struct report_source *s, const struct message *m)
{
	const struct envelope *e = envelope_cache_get(s->envelopes, m);

	return e != NULL && (e->uid >= 0 || e->auth.len > 0);
}

/* Refused by the mailbox it was expanded to, for its Delivered-To field (doc/local.8). */
static bool
is_loop(const struct recipient *r)
{
	struct verdict v;

	if (r->kind != RECIPIENT_MAILBOX || r->mta != NULL)
		return false;
	recipient_get_reason(r, &v);
	return v.kind == VERDICT_PERMANENT && strcmp(v.status, "5.4.6") == 0;
}

/* Has the postmaster been told already: is m the report to him? Its failure must not come back to him. */
static bool
was_for_postmaster(const struct report_source *s, const struct message *m)
{
	const char *postmaster =
	    s->config->postmaster != NULL ? s->config->postmaster : "postmaster";

	return message_bounce_of(m) != 0 &&
	       strcmp(message_recipient(m, 0)->address, postmaster) == 0;
}

enum report_silence
report_silence_of(const struct report_source *s, const struct recipient *r)
{
	const struct message *m = r->message;

	if (m->from[0] == '\0')
		return r->state == RECIPIENT_FAILED &&
			       s->config->double_bounce == DOUBLE_BOUNCE_POSTMASTER &&
			       !was_for_postmaster(s, m)
			   ? REPORT_SPEAK
			   : REPORT_NO_SENDER;
	if ((r->notify & (r->state == RECIPIENT_FAILED ? NOTIFY_FAILURE : NOTIFY_SUCCESS)) == 0)
		return REPORT_NOT_ASKED;
	if (r->state == RECIPIENT_FAILED && is_loop(r) && !is_vouched_for(s, m))
		return REPORT_FORGED_LOOP;
	return REPORT_SPEAK;
}

void
report_collect_ended(
    const struct report_source *s, const struct message *m, struct report_entries *out)
{
	out->n = 0;
	for (uint32_t i = 0; i < m->nrecipients && out->n < BOUNCE_RECIPIENTS_MAX; i++) {
		const struct recipient *r = message_recipient(m, i);

		if ((r->state == RECIPIENT_FAILED || r->state == RECIPIENT_TELL) &&
		    report_silence_of(s, r) == REPORT_SPEAK)
			out->v[out->n++] = i;
	}
}

void
report_collect_delayed(const struct message *m, struct report_entries *out)
{
	out->n = 0;
	if (m->from[0] == '\0')
		return;
	for (uint32_t i = 0; i < m->nrecipients && out->n < BOUNCE_RECIPIENTS_MAX; i++) {
		const struct recipient *r = message_recipient(m, i);

		if ((r->state == RECIPIENT_DEFERRED || r->state == RECIPIENT_PARKED) &&
		    r->reason != NULL && !r->warned && (r->notify & NOTIFY_DELAY) != 0)
			out->v[out->n++] = i;
	}
}

struct span
report_addressee(const struct report_source *s, const struct message *m)
{
	if (m->from[0] != '\0')
		return span_str(m->from);
	return span_str(s->config->postmaster != NULL ? s->config->postmaster : "postmaster");
}

/* --- the recipients --- */

static enum bounce_action
action_of(const struct recipient *r)
{
	static const enum bounce_action done[] = {[RECIPIENT_DELIVERED] = BOUNCE_DELIVERED,
	    [RECIPIENT_RELAYED] = BOUNCE_RELAYED,
	    [RECIPIENT_EXPANDED] = BOUNCE_EXPANDED};

	if (r->state == RECIPIENT_FAILED)
		return BOUNCE_FAILED;
	return r->state == RECIPIENT_TELL ? done[r->action] : BOUNCE_DELAYED;
}

/* What the configuration knows its next hop by: its name where it waits for it, else the section that put it off. */
static struct span
next_hop_of(const struct report_source *s, const struct recipient *r)
{
	const struct destination *d = scheduler_destination_of(r);

	return d != NULL && !d->detour ? span_str(d->name)
				       : section_names_get(s->sections, r->section);
}

/*
 * When it will be given up, as far as can be told before: a next hop that it is sent to after the next
 * resolution, or that is not known since a restart, may have another lifetime.
 */
static int64_t
until(const struct report_source *s, const struct recipient *r)
{
	struct span domain = span_str(r->address);
	const struct config_destination *d;
	int64_t from = r->message->received;

	domain = span_skip(domain, (size_t)(span_rindex(domain, '@') + 1));
	d = config_destination_find(s->config, next_hop_of(s, r), domain);
	if (message_release(r->message) * 1000 > from)
		from = message_release(r->message) * 1000;
	return (from + (int64_t)config_lifetime_find(s->config, d, false)) / 1000;
}

static void
describe(const struct report_source *s, const struct recipient *r, const struct envelope *e,
    const struct report_facts *facts, struct bounce_recipient *out)
{
	const struct recipient *origin = recipient_origin(r);

	*out =
	    (struct bounce_recipient){.action = facts->delayed ? BOUNCE_DELAYED : action_of(r),
		.original = span_str(origin->address),
		.address = span_str(r->address),
		.mta = span_str(r->mta != NULL ? r->mta : "")};
	recipient_get_reason(r, &out->verdict);
	if (out->action == BOUNCE_EXPANDED)
		verdict_set_text(&out->verdict, VERDICT_OK, 0, "2.0.0", "");
	if (e != NULL && origin->entry < e->nrecipients)
		out->orcpt = e->recipients[origin->entry].orcpt;
	/* A time before the last start is not known. */
	if (!facts->delayed && r->attempts > 0 && !r->recovered)
		out->tried = facts->tried;
	if (facts->delayed)
		out->until = until(s, r);
}

/* --- the message --- */

static bool
returns_whole(
    const struct message *m, const struct envelope *e, const struct report_entries *entries)
{
	bool failed = false;

	if (m->segment->large)
		return false;
	for (size_t i = 0; i < entries->n; i++)
		failed |= message_recipient(m, entries->v[i])->state == RECIPIENT_FAILED;
	/* RET is about failures; in other reports the header is enough (RFC 3461 4.3). */
	if (!failed || (e != NULL && span_is_nocase(e->ret, "HDRS")))
		return false;
	if (e != NULL && span_is_nocase(e->ret, "FULL"))
		return m->content_len <= BOUNCE_WHOLE_MAX;
	return m->content_len <= WHOLE_DEFAULT && entries->n <= WHOLE_RECIPIENTS;
}

/* All of it, its header, or nothing if it cannot be read. */
static void
read_content(const struct report_source *s, struct message *m, bool whole, struct buf *out,
    struct bounce *b)
{
	int r = whole ? store_read_content(s->store, m, out)
		      : store_read_head(s->store, m, BOUNCE_HEADER_MAX, out);

	if (r != 0)
		buf_clear(out);
	b->content_whole = whole && r == 0;
	b->content = b->content_whole ? buf_span(out)
				      : bounce_header_of(buf_span(out), BOUNCE_HEADER_MAX);
}

static void
fill_from_envelope(struct bounce *b, const struct envelope *e)
{
	b->envid = e->envid;
	b->utf8 = e->utf8;
	if (e->uid < 0)
		b->helo = e->helo;
}

void
report_compose(const struct report_source *s, struct message *m,
    const struct report_facts *facts, struct report_entries *entries, struct buf *out,
    struct bounce_result *result)
{
	const struct envelope *e = envelope_cache_get(s->envelopes, m);
	struct bounce_recipient *recipients = xcalloc(entries->n, sizeof *recipients);
	char id[SPOOL_ID_SIZE], bare[DOMAIN_MAX + 16];
	struct bounce b = {.hostname = s->config->hostname,
	    .id = spool_id_format(m->number, id),
	    .own_id = facts->own_id,
	    .to = report_addressee(s, m),
	    .to_postmaster = m->from[0] == '\0',
	    .arrived = m->received / 1000,
	    .now = clock_wall(),
	    .recipients = recipients,
	    .nrecipients = entries->n,
	    .text = facts->text};
	struct buf content;

	if (span_index(b.to, '@') < 0) {
		snprintf(bare, sizeof bare, "%.*s@%s", SPAN_ARG(b.to), s->config->hostname);
		b.to = span_str(bare);
	}
	if (getrandom(&b.salt, sizeof b.salt, GRND_NONBLOCK) != sizeof b.salt)
		b.salt = m->number; /* early at boot: the boundary is looked for in any case */
	buf_init(&content, MESSAGE_INLINE_MAX + 1);
	if (e != NULL)
		fill_from_envelope(&b, e);
	for (size_t i = 0; i < entries->n; i++)
		describe(s, message_recipient(m, entries->v[i]), e, facts, &recipients[i]);
	read_content(s, m, returns_whole(m, e, entries), &content, &b);
	if (bounce_compose(&b, out, result) != 0)
		fatalx("id=%s: a report does not fit", id);
	entries->n = result->nrecipients;
	buf_release(&content);
	free(recipients);
}

int
report_seven_bit(const struct report_source *s, struct recipient *r, struct buf *out)
{
	struct message *m = r->message;
	struct verdict v;
	struct buf content;
	int result = -1;

	if (message_bounce_of(m) == 0 || !m->eight_bit || m->segment->large ||
	    r->state != RECIPIENT_FAILED)
		return -1;
	recipient_get_reason(r, &v);
	if (strcmp(v.status, "5.6.3") != 0) /* RFC 3463 3.7: it would have to be converted */
		return -1;
	buf_init(&content, MESSAGE_INLINE_MAX + 1);
	if (store_read_content(s->store, m, &content) == 0)
		result = bounce_seven_bit(buf_span(&content), out);
	buf_release(&content);
	return result;
}
