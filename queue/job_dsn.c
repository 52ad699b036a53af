/* job_dsn: what a job says of RFC 3461. See job_dsn.h. Called by agents.c. */
#include "queue/job_dsn.h"

#include "common/xtext.h"
#include "queue/dsn.h"

#define ENVID_MAX 100 /* RFC 3461 5.1 */
#define ORCPT_MAX 500

void
job_dsn_add_message(struct wire_out *w, const struct envelope *e)
{
	if (e == NULL)
		return;
	if (xtext_is_printable(e->envid, ENVID_MAX))
		wire_add(w, "envid", e->envid);
	if (span_is_nocase(e->ret, "FULL") || span_is_nocase(e->ret, "HDRS"))
		wire_add(w, "ret", e->ret);
}

void
job_dsn_add_recipient(struct wire_out *w, const struct recipient *r, const struct envelope *e)
{
	const struct recipient *origin = recipient_origin(r);
	const char *notify = dsn_notify_format(r->notify);
	struct buf orcpt;

	buf_init(&orcpt, ORCPT_MAX);
	if (notify[0] != '\0')
		wire_add_str(w, "notify", notify);
	if (e != NULL && origin->entry < e->nrecipients)
		(void)dsn_add_given_orcpt(&orcpt, e->recipients[origin->entry].orcpt);
	/* Who reports on another address than the sender wrote shall be able to say which he did (RFC 3461 5.2.1). */
	if (orcpt.len == 0 && origin != r && (r->notify & NOTIFY_NEVER) == 0 &&
	    dsn_add_orcpt(&orcpt, span_str(origin->address)) != 0)
		buf_clear(&orcpt);
	if (orcpt.len > 0)
		wire_add(w, "orcpt", buf_span(&orcpt));
	buf_release(&orcpt);
}
