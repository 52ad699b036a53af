/* message: messages and recipients in memory. See message.h. */
#include "queue/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "queue/spool_record.h"

static bool
is_busy(enum recipient_state s)
{
	return s == RECIPIENT_DUE || s == RECIPIENT_RESOLVING || s == RECIPIENT_WAITING ||
	       s == RECIPIENT_ACTIVE;
}

/* A recipient in zeroed memory; *text is where its address goes, and moves behind it. */
static void
place_recipient(struct message *m, struct recipient *r, struct span address, char **text)
{
	r->message = m;
	r->address = *text;
	if (address.len > 0)
		memcpy(*text, address.p, address.len);
	*text += address.len + 1;
	r->entry = r->parent = m->nrecipients++;
	r->state = RECIPIENT_DUE;
	m->unsettled++;
	m->busy++;
}

struct message *
message_new(struct atom_table *atoms, uint64_t number, struct span from,
    const struct message_given *given, uint32_t n)
{
	size_t size = sizeof(struct message) + n * sizeof(struct recipient), text_len = 0;
	struct message *m;
	char *text;

	for (uint32_t i = 0; i < n; i++)
		text_len += given[i].address.len + 1;
	m = xcalloc(1, size + text_len);
	text = (char *)m + size;
	m->number = number;
	m->from = atom_get(atoms, from);
	for (uint32_t i = 0; i < n; i++) {
		struct recipient *r = &m->own[i];

		place_recipient(m, r, given[i].address, &text);
		r->kind = RECIPIENT_GIVEN;
		r->notify = given[i].notify & 0x1f;
	}
	m->given = n;
	return m;
}

void
message_free(struct message **mp)
{
	struct message *m = *mp;

	if (m == NULL)
		return;
	*mp = NULL;
	for (uint32_t i = 0; i < m->nrecipients; i++) {
		struct recipient *r = message_recipient(m, i);

		atom_unref(&r->reason);
		atom_unref(&r->mta);
	}
	/* Downwards: an allocation goes with its first recipient, after the others of it. */
	for (uint32_t i = m->nrecipients; i > m->given; i--)
		if (m->more[i - 1 - m->given]->first)
			free(m->more[i - 1 - m->given]);
	free(m->more);
	if (m->report != NULL)
		free(m->report->told);
	free(m->report);
	atom_unref(&m->from);
	free(m);
}

/* Room for n more entries: the array grows by powers of two. */
static void
reserve_more(struct message *m, size_t n)
{
	size_t have = m->nrecipients - m->given, cap = have > 0 ? 1 : 0;

	while (cap < have)
		cap *= 2;
	if (have + n <= cap)
		return;
	cap = cap > 0 ? cap : 1;
	while (cap < have + n)
		cap *= 2;
	m->more = xreallocarray(m->more, cap, sizeof(*m->more));
}

uint32_t
message_expand(
    struct message *m, uint32_t parent, const struct message_target *targets, size_t n)
{
	const struct recipient *from = message_recipient(m, parent);
	uint32_t first = m->nrecipients;
	size_t text_len = 0;
	struct recipient *r;
	char *text;

	for (size_t i = 0; i < n; i++)
		text_len += targets[i].address.len + 1;
	reserve_more(m, n);
	r = xcalloc(1, n * sizeof *r + text_len);
	r->first = true;
	text = (char *)(r + n);
	for (size_t i = 0; i < n; i++, r++) {
		m->more[m->nrecipients - m->given] = r;
		place_recipient(m, r, targets[i].address, &text);
		r->kind = (uint8_t)targets[i].kind;
		r->parent = parent;
		r->notify = dsn_notify_expanded(from->notify, n) & 0x1f;
		r->recovered = from->recovered;
	}
	return first;
}

struct recipient *
message_recipient(const struct message *m, uint32_t n)
{
	if (n < m->given)
		return (struct recipient *)&m->own[n];
	return n < m->nrecipients ? m->more[n - m->given] : NULL;
}

uint64_t
message_extent(const struct message *m)
{
	return spool_align(SPOOL_RECORD_SIZE + m->envelope_len + m->content_len);
}

struct message_report *
message_report(struct message *m)
{
	if (m->report == NULL) {
		m->report = xcalloc(1, sizeof *m->report);
		m->report->message = m;
	}
	return m->report;
}

void
message_trim_report(struct message *m)
{
	const struct message_report *p = m->report;

	if (p == NULL || p->bounce_of != 0 || p->release != 0 || p->failed > 0 || p->tell > 0 ||
	    p->bouncing || p->waits)
		return;
	free(m->report);
	m->report = NULL;
}

uint32_t
message_failed(const struct message *m)
{
	return m->report != NULL ? m->report->failed : 0;
}

uint32_t
message_tell(const struct message *m)
{
	return m->report != NULL ? m->report->tell : 0;
}

int64_t
message_release(const struct message *m)
{
	return m->report != NULL ? m->report->release : 0;
}

int64_t
recipient_release(const struct recipient *r)
{
	bool waits = !r->early && r->attempts == 0 && r->entry < r->message->given;

	return waits ? message_release(r->message) : 0;
}

uint64_t
message_bounce_of(const struct message *m)
{
	return m->report != NULL ? m->report->bounce_of : 0;
}

bool
recipient_tells_expansion(const struct recipient *r, size_t targets)
{
	return targets > 1 && (r->notify & NOTIFY_SUCCESS) != 0 && r->message->from[0] != '\0';
}

struct recipient *
recipient_origin(const struct recipient *r)
{
	while (r->parent != r->entry)
		r = message_recipient(r->message, r->parent);
	return message_recipient(r->message, r->entry);
}

const char *
recipient_state_name(enum recipient_state state)
{
	static const char *const names[] = {"due", "resolving", "waiting", "active", "parked",
	    "deferred", "held", "failed", "done", "settled"};

	return names[state];
}

/* Counts for the reporter, which few messages have. */
static void
count_reports(struct message *m, enum recipient_state old, enum recipient_state state)
{
	struct message_report *p = m->report;

	if (state == RECIPIENT_FAILED || state == RECIPIENT_TELL)
		p = message_report(m);
	if (p == NULL)
		return;
	p->failed +=
	    (uint32_t)(state == RECIPIENT_FAILED) - (uint32_t)(old == RECIPIENT_FAILED);
	p->tell += (uint32_t)(state == RECIPIENT_TELL) - (uint32_t)(old == RECIPIENT_TELL);
}

void
recipient_set_state(struct recipient *r, enum recipient_state state)
{
	struct message *m = r->message;
	enum recipient_state old = (enum recipient_state)r->state;
	char id[SPOOL_ID_SIZE];

	if (log_enabled(LOG_LEVEL_DEBUG))
		log_debug("id=%s rcpt=%u %s -> %s", spool_id_format(m->number, id), r->entry,
		    recipient_state_name(old), recipient_state_name(state));
	m->busy += (uint32_t)is_busy(state) - (uint32_t)is_busy(old);
	m->unsettled +=
	    (uint32_t)(state != RECIPIENT_SETTLED) - (uint32_t)(old != RECIPIENT_SETTLED);
	count_reports(m, old, state);
	r->state = (uint8_t)state;
}

static void
set_atom(const char **atom, struct atom_table *atoms, struct span text)
{
	const char *old = *atom;

	*atom = atom_get(atoms, text);
	atom_unref(&old);
}

void
message_hold(struct message *m, const struct verdict *why)
{
	for (uint32_t i = 0; i < m->given; i++) {
		struct recipient *r = message_recipient(m, i);

		r->held = true;
		r->next = 0;
		recipient_set_state(r, RECIPIENT_HELD);
		if (why != NULL)
			recipient_set_reason(r, why);
	}
}

void
recipient_set_reason(struct recipient *r, const struct verdict *v)
{
	char text[sizeof v->text + sizeof v->status + 16];
	int n = snprintf(text, sizeof text, "%d %s %s", v->code, v->status, v->text);

	set_atom(&r->reason, atom_table_of(r->message->from), span_make(text, (size_t)n));
}

void
recipient_set_mta(struct recipient *r, struct span mta)
{
	if (mta.len > 0 && !span_has_control(mta) && span_index(mta, ' ') < 0)
		set_atom(&r->mta, atom_table_of(r->message->from), mta);
	else
		atom_unref(&r->mta);
}

void
recipient_requeue(struct recipient *r)
{
	r->kind = RECIPIENT_GIVEN;
	r->attempts = 0;
	r->losses = 0;
	r->recovered = true; /* what was tried before may have been delivered */
	atom_unref(&r->reason);
	atom_unref(&r->mta);
	if (r->held)
		r->next = 0;
	else
		recipient_set_state(r, RECIPIENT_DUE);
}

void
recipient_get_reason(const struct recipient *r, struct verdict *v)
{
	struct span rest = span_str(r->reason), code, status;
	uint64_t n = 0;

	verdict_init(v);
	if (r->reason == NULL)
		return;
	code = span_cut(&rest, ' ');
	status = span_cut(&rest, ' ');
	(void)span_to_u64(code, 599, &n);
	verdict_set_parts(v,
	    span_starts_with(status, "5")   ? VERDICT_PERMANENT
	    : span_starts_with(status, "2") ? VERDICT_OK
					    : VERDICT_TEMPORARY,
	    (int)n, status, rest);
}
