/* session_reply: what a session says. See session_reply.h. Called by the verbs and by the session itself. */
#include "smtpd/session_reply.h"

#include <inttypes.h>

#include "common/log.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"

static void
log_refusal(struct session *s, int code, struct span rule)
{
	struct span from = {NULL, 0}, rcpt = {NULL, 0};

	s->refusals++;
	s->server->counts.refused++;
	if (s->txn != NULL) {
		from = s->txn->from;
		rcpt = s->txn->asked.address;
	}
	log_info("session=%s refused=%s code=%d rule=%.*s client=%s uid=%" PRId64
		 " from=<%.*s> rcpt=<%.*s>",
	    s->id, s->verb != NULL ? s->verb->name : "-", code, SPAN_ARG(rule),
	    s->origin.text[0] != '\0' ? s->origin.text : "local", s->origin.uid, SPAN_ARG(from),
	    SPAN_ARG(rcpt));
}

static void
say(struct session *s, const struct smtp_reply *r, struct span detail)
{
	smtp_reply_format(&s->transport.out, r, detail);
	s->replies++;
	if (r->code >= 400)
		log_refusal(s, r->code, span_str(r->rule));
	if (r->closes)
		session_close(s, r->rule != NULL ? r->rule : "quit", r->code != 221);
}

/*
 * Counts a permanent refusal. The one that reaches the limit is answered 421 instead: true. Local
 * submitters are known and hear about every recipient: a file in drop/ whose session ends early would
 * be tried again for ever.
 */
static bool
is_one_error_too_many(struct session *s, int code, struct span rule)
{
	if (code < 500 || s->origin.role == LISTENER_SUBMIT ||
	    ++s->errors < s->settings->error_limit)
		return false;
	log_refusal(s, code, rule);
	say(s, smtp_reply_find(REPLY_TOO_MANY_ERRORS), (struct span){NULL, 0});
	return true;
}

void
session_reply_detail(struct session *s, enum smtp_reply_id id, struct span detail)
{
	const struct smtp_reply *r = smtp_reply_find(id);

	if (r->closes || !is_one_error_too_many(s, r->code, span_str(r->rule)))
		say(s, r, detail);
}

void
session_reply(struct session *s, enum smtp_reply_id id)
{
	session_reply_detail(s, id, (struct span){NULL, 0});
}

void
session_reply_text(struct session *s, const char *text)
{
	buf_add_str(&s->transport.out, text);
	s->replies++;
}

void
session_reply_verdict(struct session *s, const struct verdict *v, struct span rule)
{
	int code = v->kind == VERDICT_PERMANENT ? 550 : 0;

	if (is_one_error_too_many(s, code, rule))
		return;
	code = smtp_reply_format_verdict(&s->transport.out, v);
	s->replies++;
	if (code >= 400)
		log_refusal(s, code, rule);
	if (code == 421)
		session_close(s, "policy", true);
}
