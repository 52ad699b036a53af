/* message: messages and recipients in memory. See message.h. */
#include "queue/message.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "queue/spool_record.h"

struct message *
message_new(uint64_t number)
{
	struct message *m = xcalloc(1, sizeof *m);

	m->number = number;
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
		free(m->recipients[i]->address);
		free(m->recipients[i]->reason);
		free(m->recipients[i]->mta);
		free(m->recipients[i]);
	}
	free(m->recipients);
	free(m->told);
	free(m->from);
	free(m);
}

static bool
is_busy(enum recipient_state s)
{
	return s == RECIPIENT_DUE || s == RECIPIENT_RESOLVING || s == RECIPIENT_WAITING ||
	       s == RECIPIENT_ACTIVE;
}

struct recipient *
message_add_recipient(
    struct message *m, enum recipient_kind kind, uint32_t parent, struct span address)
{
	struct recipient *r = xcalloc(1, sizeof *r);

	/* Grown by powers of two: the array is full exactly when its length is one. */
	if ((m->nrecipients & (m->nrecipients - 1)) == 0)
		m->recipients = xreallocarray(m->recipients,
		    m->nrecipients > 0 ? (size_t)m->nrecipients * 2 : 1,
		    sizeof(*m->recipients));
	r->message = m;
	r->address = xspandup(address);
	r->entry = m->nrecipients;
	r->parent = parent;
	r->kind = (uint8_t)kind;
	r->state = RECIPIENT_DUE;
	m->recipients[m->nrecipients++] = r;
	m->unsettled++;
	m->busy++;
	return r;
}

struct recipient *
message_recipient(const struct message *m, uint32_t n)
{
	return n < m->nrecipients ? m->recipients[n] : NULL;
}

const char *
recipient_state_name(enum recipient_state state)
{
	static const char *const names[] = {
	    "due", "resolving", "waiting", "active", "deferred", "failed", "settled"};

	return names[state];
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
	m->failed +=
	    (uint32_t)(state == RECIPIENT_FAILED) - (uint32_t)(old == RECIPIENT_FAILED);
	m->unsettled +=
	    (uint32_t)(state != RECIPIENT_SETTLED) - (uint32_t)(old != RECIPIENT_SETTLED);
	r->state = (uint8_t)state;
}

void
recipient_set_reason(struct recipient *r, const struct verdict *v)
{
	free(r->reason);
	r->reason = xasprintf("%d %s %s", v->code, v->status, v->text);
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
