/*
 * session_question: what a session asks and tells the directory about itself, its
 * transaction and recipient. Part of session, see session.h. Called by the verbs, by session_life.c
 * and where a message was accepted.
 */
#include "smtpd/login.h"
#include "smtpd/session.h"
#include "smtpd/session_ahead.h"
#include "smtpd/session_author.h"
#include "smtpd/session_facts.h"
#include "smtpd/session_private.h"
#include "smtpd/txn.h"

struct question
session_question(struct session *s, enum question_kind kind)
{
	struct question q = {
	    .kind = kind,
	    .role = s->origin.role,
	    .client = span_str(s->origin.text),
	    .uid = s->origin.uid,
	    .helo = span_str(s->helo),
	    .auth = span_str(s->account),
	    .server = span_str(s->tls != NULL ? s->tls->name : ""),
	};

	/* Behind XCLIENT it is the proxy's. */
	if (!s->introduced && s->tls != NULL && s->tls->certificate != NULL &&
	    s->tls->public_key != NULL) {
		q.certificate = span_str(s->tls->certificate);
		q.public_key = span_str(s->tls->public_key);
		q.verified = s->tls->subject != NULL;
	}
	if (s->txn != NULL) {
		q.from = s->txn->from;
		q.rcpt = s->txn->asked.address;
		q.size = s->txn->declared;
		q.recipients = s->txn->recipients.n;
	}
	if (s->counts_commands && kind != QUESTION_LOGIN && kind != QUESTION_MECHANISMS &&
	    kind != QUESTION_AUTHOR && kind != QUESTION_REDIRECT) {
		q.commands = s->commands;
		s->commands = 0;
	}
	return q;
}

void
session_ask(struct session *s, enum question_kind kind, question_fn *fn)
{
	struct question q;

	if (session_facts_delay(s, kind, fn))
		return;
	if (kind == QUESTION_RCPT && session_ahead_take(s, fn))
		return;
	q = session_question(s, kind);
	q.facts = session_facts_known(s);
	if (kind == QUESTION_LOGIN)
		login_fill(s->login, &q);
	if (kind == QUESTION_AUTHOR)
		session_author_fill(s, &q);
	s->call.fn = fn;
	s->call.arg = s;
	s->server->question_ops->ask(s->server->directory, &q, &s->call);
}

void
session_tell_accepted(struct session *s)
{
	struct question q;

	if (!s->txn->counted)
		return;
	q = session_question(s, QUESTION_RCPT);
	s->server->question_ops->tell(s->server->directory, NOTE_ACCEPTED, &q);
}

void
session_tell_commands(struct session *s)
{
	struct question q;

	if (!s->counts_commands || s->commands == 0)
		return;
	q = session_question(s, QUESTION_CONNECT);
	s->server->question_ops->tell(s->server->directory, NOTE_COMMANDS, &q);
}
