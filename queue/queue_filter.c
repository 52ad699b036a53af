/*
 * queue_filter: which messages and recipients a command means. See queue_filter.h. Called
 * by control, in the queue manager and in its forked children. Invariant: a request with a field
 * that is not understood has no filter at all.
 */
#include "queue/queue_filter.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <strings.h>

#include "common/address.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "conf/fold.h"
#include "queue/scheduler.h"
#include "queue/spool_record.h"

#define CONDITIONS_MAX 100
#define SHOWN_MAX      100
#define AGE_MAX	       UINT64_C(10000000000) /* seconds: beyond any clock */

enum kind {
	KIND_ID,
	KIND_SENDER,
	KIND_SENDER_DOMAIN,
	KIND_RECIPIENT,
	KIND_DOMAIN,
	KIND_DESTINATION,
	KIND_REASON,
	KIND_STATE,
	KINDS,
};

struct queue_filter_condition {
	enum kind kind;
	bool negated, glob; /* glob: has a character that means something in patterns */
	char *text;
};

static const char *const kind_names[KINDS] = {[KIND_ID] = "match-id",
    [KIND_SENDER] = "sender",
    [KIND_SENDER_DOMAIN] = "sender-domain",
    [KIND_RECIPIENT] = "recipient",
    [KIND_DOMAIN] = "domain",
    [KIND_DESTINATION] = "destination",
    [KIND_REASON] = "reason",
    [KIND_STATE] = "state"};

/* Parsing */

static int
add_id(struct queue_filter *f, struct span value, struct buf *why)
{
	uint64_t id;

	if (spool_id_parse(value, &id) != 0) {
		buf_addf(why, "%.*s is no message id", SPAN_ARG(span_first(value, SHOWN_MAX)));
		return -1;
	}
	/* Grown by powers of two: full exactly when the length is one. */
	if ((f->nids & (f->nids - 1)) == 0)
		f->ids = xreallocarray(f->ids, f->nids > 0 ? f->nids * 2 : 1, sizeof *f->ids);
	f->ids[f->nids++] = id;
	return 0;
}

static bool
is_state(struct span name)
{
	for (int s = 0; s < RECIPIENT_SETTLED; s++)
		if (span_is(name, recipient_state_name((enum recipient_state)s)))
			return true;
	return false;
}

static void
refuse_state(struct span value, struct buf *why)
{
	buf_addf(why, "%.*s is no state of a recipient: expected",
	    SPAN_ARG(span_first(value, SHOWN_MAX)));
	for (int s = 0; s < RECIPIENT_SETTLED; s++)
		buf_addf(why, "%s %s", s > 0 ? "," : "",
		    recipient_state_name((enum recipient_state)s));
}

static bool
is_address(enum kind kind)
{
	return kind == KIND_SENDER || kind == KIND_RECIPIENT;
}

/* An address, or a pattern for some, without the case of letters beyond ASCII, in out; text itself where there are none. */
static const char *
folded(const char *text, char out[FOLD_TEXT_MAX + 1])
{
	size_t len;

	return fold_text(span_str(text), out, FOLD_TEXT_MAX + 1, &len) == 0 ? out : text;
}

/*
 * A pattern's text as the queue spells what it is held against, where domains are A-labels: each label of the
 * domain that is one as it stands. A label with a pattern inside is no U-label, and stays.
 */
static char *
canonical_text(enum kind kind, struct span value)
{
	bool address = is_address(kind);
	char label[DOMAIN_MAX + 1], both[FOLD_TEXT_MAX + 1], *text;
	struct span rest = value;
	struct buf out;
	size_t n = value.len;

	if (utf8_is_ascii(value) || (!address && kind != KIND_SENDER_DOMAIN &&
					kind != KIND_DOMAIN && kind != KIND_DESTINATION))
		return xspandup(value);
	buf_init(&out, 4 * QUEUE_FILTER_TEXT_MAX);
	while (address && n > 0 && value.p[n - 1] != '@')
		n--;
	if (address) {
		buf_add_span(&out, span_first(value, n));
		rest = span_skip(value, n);
	}
	while (rest.p != NULL) {
		struct span s = span_cut(&rest, '.');
		size_t len;

		if (domain_canonical(s, true, label, &len, NULL) == 0)
			s = span_make(label, len);
		buf_add_span(&out, s);
		if (rest.p != NULL)
			buf_add_char(&out, '.');
	}
	text = xstrdup(address ? folded(buf_str(&out), both) : buf_str(&out));
	buf_release(&out);
	return text;
}

/* 1: it was one; 0: it is another field; -1 with why. */
static int
add_condition(struct queue_filter *f, const struct wire_field *field, struct buf *why)
{
	struct queue_filter_condition c = {
	    .kind = KIND_ID, .negated = span_starts_with(field->name, "not-")};
	struct span name = span_skip(field->name, c.negated ? 4 : 0), value = field->value;

	while (c.kind < KINDS && !span_is(name, kind_names[c.kind]))
		c.kind++;
	if (c.kind == KINDS)
		return 0;
	if (value.len > QUEUE_FILTER_TEXT_MAX || f->nconditions == CONDITIONS_MAX) {
		buf_addf(why, "%.*s: too long, or too many of them", SPAN_ARG(field->name));
		return -1;
	}
	if (c.kind == KIND_STATE && !is_state(value)) {
		refuse_state(value, why);
		return -1;
	}
	c.text = span_is(value, "<>") ? xstrdup("") : canonical_text(c.kind, value);
	c.glob = strpbrk(c.text, "*?[\\") != NULL;
	f->conditions = xreallocarray(f->conditions, f->nconditions + 1, sizeof *f->conditions);
	f->conditions[f->nconditions++] = c;
	return 1;
}

/* As add_condition. */
static int
set_age(struct queue_filter *f, const struct wire_field *field, int64_t now, struct buf *why)
{
	bool older = span_is(field->name, "older");
	uint64_t age;

	if (!older && !span_is(field->name, "younger"))
		return 0;
	if (span_to_u64(field->value, AGE_MAX, &age) != 0) {
		buf_addf(why, "%.*s= wants seconds", SPAN_ARG(field->name));
		return -1;
	}
	*(older ? &f->received_before : &f->received_after) = now - (int64_t)age * 1000;
	return 1;
}

static bool
is_among(struct span name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (span_is(name, *names))
			return true;
	return false;
}

int
queue_filter_parse(struct queue_filter *f, const struct wire_msg *m, int64_t now,
    const char *const *others, struct buf *why)
{
	*f = (struct queue_filter){.received_before = INT64_MAX, .received_after = INT64_MIN};
	for (size_t i = 0; i < m->nfields; i++) {
		const struct wire_field *field = &m->fields[i];
		int r = 1;

		if (span_is(field->name, "id"))
			r = add_id(f, field->value, why) == 0 ? 1 : -1;
		else if (!is_among(field->name, others))
			r = add_condition(f, field, why);
		if (r == 0)
			r = set_age(f, field, now, why);
		if (r == 0)
			buf_addf(why, "%.*s= means nothing here", SPAN_ARG(field->name));
		if (r <= 0)
			return -1;
	}
	return 0;
}

void
queue_filter_release(struct queue_filter *f)
{
	for (size_t i = 0; i < f->nconditions; i++)
		free(f->conditions[i].text);
	free(f->conditions);
	free(f->ids);
	*f = (struct queue_filter){.ids = NULL};
}

bool
queue_filter_is_empty(const struct queue_filter *f)
{
	return f->nids == 0 && f->nconditions == 0 && f->received_before == INT64_MAX &&
	       f->received_after == INT64_MIN;
}

/* Matching */

static bool
condition_fits(const struct queue_filter_condition *c, const char *text)
{
	if (c->kind == KIND_REASON)
		return strcasestr(text, c->text) != NULL;
	if (c->glob)
		return fnmatch(c->text, text, FNM_CASEFOLD) == 0;
	return strcasecmp(c->text, text) == 0;
}

static bool
kind_fits(const struct queue_filter *f, enum kind kind, const char *text)
{
	bool wanted = false, fits = false;
	char both[FOLD_TEXT_MAX + 1];

	if (is_address(kind))
		text = folded(text, both);

	for (size_t i = 0; i < f->nconditions; i++) {
		const struct queue_filter_condition *c = &f->conditions[i];

		if (c->kind != kind || (fits && !c->negated))
			continue;
		if (condition_fits(c, text)) {
			if (c->negated)
				return false;
			fits = true;
		}
		wanted = wanted || !c->negated;
	}
	return fits || !wanted;
}

const char *
queue_filter_domain(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : "";
}

const char *
queue_filter_destination(const struct recipient *r)
{
	const struct destination *d = scheduler_destination_of(r);

	return d != NULL ? d->name : queue_filter_domain(r->address);
}

bool
queue_filter_message(const struct queue_filter *f, const struct message *m)
{
	char id[SPOOL_ID_SIZE];

	if (m->received >= f->received_before || m->received <= f->received_after)
		return false;
	return f->nconditions == 0 ||
	       (kind_fits(f, KIND_SENDER, m->from) &&
		   kind_fits(f, KIND_SENDER_DOMAIN, queue_filter_domain(m->from)) &&
		   kind_fits(f, KIND_ID, spool_id_format(m->number, id)));
}

bool
queue_filter_recipient(const struct queue_filter *f, const struct recipient *r)
{
	if (r->state == RECIPIENT_SETTLED)
		return false;
	if (f->nconditions == 0)
		return true;
	return kind_fits(f, KIND_STATE, recipient_state_name((enum recipient_state)r->state)) &&
	       kind_fits(f, KIND_RECIPIENT, r->address) &&
	       kind_fits(f, KIND_DOMAIN, queue_filter_domain(r->address)) &&
	       kind_fits(f, KIND_DESTINATION, queue_filter_destination(r)) &&
	       kind_fits(f, KIND_REASON, r->reason != NULL ? r->reason : "");
}
