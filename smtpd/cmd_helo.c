/*
 * HELO and EHLO (RFC 5321 4.1.1.1, 4.1.4). Both end a transaction and forget what
 * the other offered. The name is never a reason to trust or distrust; it only has to
 * be one, since it goes into the trace field.
 */
#include <stdlib.h>

#include "common/xalloc.h"
#include "smtpd/login.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"
#include "smtpd/verbs.h"

int
cmd_helo_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r)
{
	(void)offers;
	r->reply = arg.len == 0 ? REPLY_ARGUMENT_MISSING : REPLY_HELO_NAME;
	if (arg.len == 0 || !address_helo_valid(arg))
		return -1;
	c->args.name = arg;
	return 0;
}

static void
greeted(struct session *s, struct span name, bool esmtp)
{
	txn_free(&s->txn);
	free(s->helo);
	s->helo = s->helo_named != NULL ? xstrdup(s->helo_named) : xspandup(name);
	s->esmtp = esmtp;
}

enum command_result
cmd_helo_run(struct session *s, const struct command *c)
{
	greeted(s, c->args.name, false);
	session_reply_text(s, s->settings->hello);
	return COMMAND_DONE;
}

static void
list_offers(struct session *s)
{
	settings_format_ehlo(s->settings, session_offers(s), &s->transport.out);
	session_replied(s);
}

/* Where it cannot be told passwords do as well. */
static void
on_mechanisms(const struct answer *a, void *arg)
{
	struct session *s = arg;

	s->scram = a->told && a->scram;
	list_offers(s);
	session_finish(s);
}

enum command_result
cmd_ehlo_run(struct session *s, const struct command *c)
{
	greeted(s, c->args.name, true);
	s->scram = s->settings->auth_scram == CONFIG_YES;
	if (s->settings->auth_scram == CONFIG_AUTO && login_is_offered(s)) {
		session_ask(s, QUESTION_MECHANISMS, on_mechanisms);
		return COMMAND_WAITING;
	}
	list_offers(s);
	return COMMAND_DONE;
}
