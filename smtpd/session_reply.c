/* session_reply: what a session says. See session_reply.h. Called by the verbs and by the session itself. */
#include "smtpd/session_reply.h"

#include <inttypes.h>

#include "common/log.h"
#include "common/log_value.h"
#include "smtpd/session.h"
#include "smtpd/session_facts.h"
#include "smtpd/txn.h"

/* Of whom, from whom, for whom: what lines about a command have in common, and what `postrider explain` wants to know. */
#define ABOUT "client=%s%s uid=%" PRId64 "%s%s helo=<%s> from=<%s> rcpt=<%s>"
#define ABOUT_ARG(s, name)                                                                     \
	(s)->origin.text[0] != '\0' ? (s)->origin.text : "local", session_facts_text(s, name), \
	    (s)->origin.uid, (s)->account != NULL ? " auth=" : "",                             \
	    (s)->account != NULL ? LOG_ADDRESS(span_str((s)->account)) : "",                   \
	    LOG_ADDRESS(span_str((s)->helo != NULL ? (s)->helo : "")),                         \
	    LOG_ADDRESS(sender_of(s)), LOG_ADDRESS(recipient_of(s))

static struct span
sender_of(const struct session *s)
{
	return s->txn != NULL ? s->txn->from : span_str("");
}

static struct span
recipient_of(const struct session *s)
{
	return s->txn != NULL ? s->txn->asked.address : span_str("");
}

/* text is what the client hears of it, where that is not always the same; else empty. */
static void
log_refusal(struct session *s, int code, struct span rule, const char *text)
{
	bool said = *text != '\0';
	char name[SESSION_FACTS_TEXT_SIZE];

	s->refusals++;
	s->server->counts.refused++;
	log_info("session=%s refused=%s code=%d rule=%.*s " ABOUT "%s%s%s", s->id,
	    s->verb != NULL ? s->verb->name : "-", code, SPAN_ARG(rule), ABOUT_ARG(s, name),
	    said ? " text=\"" : "", LOG_QUOTED(span_str(text)), said ? "\"" : "");
}

void
session_log_warnings(const struct session *s, const struct answer *a)
{
	char name[SESSION_FACTS_TEXT_SIZE];

	for (size_t i = 0; i < a->nwarnings; i++) {
		struct span text = a->warnings[i], rule = span_cut(&text, ' ');

		log_info("session=%s accepted=%s warning rule=%.*s " ABOUT " text=\"%s\"",
		    s->id, s->verb != NULL ? s->verb->name : "-", SPAN_ARG(rule),
		    ABOUT_ARG(s, name), LOG_QUOTED(text));
	}
}

static void
say(struct session *s, const struct smtp_reply *r, struct span detail)
{
	smtp_reply_format(&s->transport.out, r, detail);
	s->replies++;
	if (r->code >= 400)
		log_refusal(s, r->code, span_str(r->rule), "");
	if (r->closes)
		session_close(s, r->rule != NULL ? r->rule : "quit", r->code != 221);
}

/*
 * Counts a permanent refusal. The one that reaches the limit is answered 421 instead: true. Local
 * submitters are known and hear about every recipient: a file in drop/ whose session ends early would
 * be tried again for ever.
 */
static bool
is_one_error_too_many(struct session *s, int code, struct span rule, const char *text)
{
	if (code < 500 || s->origin.role == LISTENER_SUBMIT ||
	    ++s->errors < s->settings->error_limit)
		return false;
	log_refusal(s, code, rule, text);
	say(s, smtp_reply_find(REPLY_TOO_MANY_ERRORS), (struct span){NULL, 0});
	return true;
}

void
session_reply_detail(struct session *s, enum smtp_reply_id id, struct span detail)
{
	const struct smtp_reply *r = smtp_reply_find(id);

	if (r->closes || !is_one_error_too_many(s, r->code, span_str(r->rule), ""))
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
	session_replied(s);
}

void
session_replied(struct session *s)
{
	s->replies++;
}

void
session_reply_verdict(struct session *s, const struct verdict *v, struct span rule)
{
	int code = v->kind == VERDICT_PERMANENT ? 550 : 0;

	if (is_one_error_too_many(s, code, rule, v->text))
		return;
	code = smtp_reply_format_verdict(&s->transport.out, v);
	s->replies++;
	if (code >= 400)
		log_refusal(s, code, rule, v->text);
	if (code == 421)
		session_close(s, "policy", true);
}
