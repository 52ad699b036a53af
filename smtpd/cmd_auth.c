/*
 * AUTH (RFC 4954 4), on listeners of submission, inside TLS. Elsewhere nobody can log in, and
 * who goes on trying is sent away.
 */
#include "smtpd/login.h"
#include "smtpd/session.h"
#include "smtpd/verbs.h"

int
cmd_auth_parse(struct span arg, unsigned offers, struct command *c, struct refusal *r)
{
	struct auth_args *a = &c->args.auth;

	(void)offers;
	r->reply = REPLY_LOGIN_SYNTAX;
	a->mechanism = span_cut(&arg, ' ');
	a->has_response = arg.p != NULL;
	a->response = arg;
	if (a->mechanism.len == 0 || (a->has_response && span_index(arg, ' ') >= 0))
		return -1;
	/* "=": the initial response is there, and empty. */
	if (a->has_response && span_is(arg, "="))
		a->response = span_make("", 0);
	return 0;
}

enum command_result
cmd_auth_run(struct session *s, const struct command *c)
{
	const struct auth_args *a = &c->args.auth;
	enum login_mechanism mechanism;

	if (s->helo == NULL && s->origin.role == LISTENER_SUBMISSION)
		return command_refuse(s, REPLY_HELLO_FIRST);
	if (s->txn != NULL && s->origin.role == LISTENER_SUBMISSION)
		return command_refuse(s, REPLY_NESTED);
	if (s->account != NULL)
		return command_refuse(s, REPLY_LOGIN_ALREADY);
	if (!login_is_offered(s) || !s->esmtp) {
		if (++s->logins >= s->settings->auth_failure_limit)
			return command_refuse(s, REPLY_TOO_MANY_LOGINS);
		return command_refuse(
		    s, s->origin.role == LISTENER_SUBMISSION && s->helo != NULL && s->esmtp
			   ? REPLY_LOGIN_TLS
			   : REPLY_NOT_OFFERED);
	}
	if (login_find_mechanism(s, a->mechanism, &mechanism) != 0)
		return command_refuse(s, REPLY_LOGIN_MECHANISM);
	return login_begin(s, mechanism, a->has_response, a->response);
}
