/*
 * session_ahead: a question asked before its turn. See session_ahead.h. Called by session_input and
 * session_question. The directory answers MAIL first: that answer lets RCPT have its turn, and take
 * over the question whose answer comes next.
 */
#include "smtpd/session_ahead.h"

#include <stdlib.h>

#include "common/xalloc.h"
#include "smtpd/header_source.h"
#include "smtpd/line.h"
#include "smtpd/session.h"
#include "smtpd/session_facts.h"
#include "smtpd/session_private.h"
#include "smtpd/txn.h"
#include "smtpd/verbs.h"

struct session_ahead {
	struct session *session;
	struct question_call call;
	question_fn *fn; /* NULL: RCPT has not had its turn */
	char *rcpt;	 /* the canonical address that was asked about */
};

static void
destroy(struct session_ahead *a)
{
	a->session->ahead = NULL;
	free(a->rcpt);
	free(a);
}

static void
on_answer(const struct answer *answer, void *arg)
{
	struct session_ahead *a = arg;
	struct session *s = a->session;
	question_fn *fn = a->fn;

	destroy(a);
	if (fn != NULL)
		fn(answer, s);
}

/*
 * Would RCPT ask the same in its turn? Not if the directory counts commands, which are told in their order; if it wants
 * facts, which come with the question; or if there are other header checks than those here: the answer to RCPT
 * is to come behind them (doc/IPC.md).
 */
static bool
is_certain(const struct session *s)
{
	return s->facts == NULL && !s->counts_commands && s->txn != NULL &&
	       s->txn->recipients.n == 0 && !header_source_is_asking(s->server->headers);
}

void
session_ahead_ask(struct session *s, struct span in, size_t line_limit)
{
	struct refusal refusal;
	struct session_ahead *a;
	struct span line, arg;
	struct question q;
	struct command c;

	if (s->verb == NULL || s->verb->run != cmd_mail_run || !is_certain(s) ||
	    line_take(&in, line_limit, &line) != LINE_WHOLE || span_has_control(line))
		return;
	c.verb = command_find(command_split(line, &arg));
	if (c.verb == NULL || c.verb->run != cmd_rcpt_run ||
	    cmd_rcpt_parse(arg, s->esmtp ? session_offers(s) : 0, &c, &refusal) != 0)
		return;
	session_ahead_free(s);
	a = xcalloc(1, sizeof *a);
	a->session = s;
	a->rcpt = xspandup(address_span(&c.args.rcpt.to));
	a->call.fn = on_answer;
	a->call.arg = a;
	s->ahead = a;
	q = session_question(s, QUESTION_RCPT);
	q.rcpt = span_str(a->rcpt);
	s->server->question_ops->ask(s->server->directory, &q, &a->call);
}

bool
session_ahead_take(struct session *s, question_fn *fn)
{
	struct session_ahead *a = s->ahead;

	if (a == NULL || a->fn != NULL)
		return false;
	if (!is_certain(s) || !span_is(s->txn->asked.address, a->rcpt)) {
		session_ahead_free(s);
		return false;
	}
	a->fn = fn;
	return true;
}

void
session_ahead_free(struct session *s)
{
	struct session_ahead *a = s->ahead;

	if (a == NULL)
		return;
	s->server->question_ops->cancel(s->server->directory, &a->call);
	destroy(a);
}
