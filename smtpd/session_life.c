/*
 * session_life: how a session begins, from the connection to the greeting, and how
 * it ends. Part of session, see session.h. Called by the listener and the server, and
 * by session_tls, which puts one session in the place of another.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "smtpd/login.h"
#include "smtpd/session_ahead.h"
#include "smtpd/session_facts.h"
#include "smtpd/session_private.h"
#include "smtpd/session_tls.h"
#include "smtpd/tls_handshake.h"
#include "smtpd/txn.h"

/* A client that talks before the greeting is sent away where greetings are delayed to find such clients. */
bool
session_delays_greeting(const struct session *s)
{
	return s->settings->greeting_delay_ms > 0 && s->origin.role != LISTENER_SUBMIT &&
	       !s->introduced;
}

void
session_greet(struct session *s)
{
	if (s->greeting_waits != 0)
		return;
	session_reply_text(s, s->settings->greeting);
	session_set_state(s, SESSION_COMMAND);
}

/* RFC 5321 3.1: 554 instead of the greeting, and then only QUIT is served; 421 for what may pass. */
static void
refuse_client(struct session *s, const struct answer *a)
{
	struct verdict v = a->verdict;

	v.code = v.kind == VERDICT_PERMANENT ? 554 : 421;
	s->refused = true;
	session_set_state(s, SESSION_COMMAND);
	session_reply_verdict(s, &v, a->rule);
}

static void
on_client_answer(const struct answer *a, void *arg)
{
	struct session *s = arg;

	s->greeting_waits &= ~(unsigned)GREETING_WAITS_ANSWER;
	s->counts_commands = a->count;
	/* Could not tell is no reason to send a client away: MAIL and RCPT ask again. */
	if (s->state == SESSION_GREETING && a->told && a->verdict.kind != VERDICT_OK)
		refuse_client(s, a);
	else if (s->state == SESSION_GREETING)
		session_greet(s);
	if (a->verdict.kind == VERDICT_OK)
		session_facts_want(s, a);
	session_continue(s);
}

struct session *
session_make(struct server *sv, const struct session_origin *origin)
{
	struct session *s = xcalloc(1, sizeof *s);

	s->server = sv;
	s->settings = settings_ref(sv->settings);
	s->origin = *origin;
	snprintf(s->id, sizeof s->id, "%s.%" PRIx64, sv->tag, ++sv->next_session);
	buf_init(&s->in, 2 * SERVER_INPUT_SIZE + s->settings->command_line_limit);
	/* Passwords come there, perhaps in pieces. */
	s->in.secret = origin->role == LISTENER_SUBMISSION;
	s->began_ms = sv->clock();
	TAILQ_INSERT_TAIL(&sv->sessions, s, link);
	sv->nsessions++;
	return s;
}

void
session_begin(struct session *s)
{
	session_facts_free(s);
	s->greeting_waits = session_delays_greeting(s) ? GREETING_WAITS_DELAY : 0U;
	session_set_state(s, SESSION_GREETING);
	/* By what is configured now: who speaks for clients by XCLIENT may be connected for hours. */
	if (s->server->settings->connect_is_open) {
		s->counts_commands = false;
		session_greet(s);
	} else {
		s->greeting_waits |= GREETING_WAITS_ANSWER;
		session_ask(s, QUESTION_CONNECT, on_client_answer);
	}
	session_set_timer(s);
}

void
session_new(struct server *sv, int fd, const struct session_origin *origin)
{
	struct session *s = session_make(sv, origin);

	sv->counts.connections++;
	log_debug("session=%s client=%s uid=%" PRId64 " connected", s->id,
	    origin->text[0] != '\0' ? origin->text : "local", origin->uid);
	if (origin->tls == LISTENER_TLS_IMPLICIT) {
		session_tls_begin(s, fd);
	} else {
		session_open(s, fd, NULL);
		session_begin(s);
		session_continue(s);
	}
}

static void
leave_server(struct session *s)
{
	struct server *sv = s->server;

	TAILQ_REMOVE(&sv->sessions, s, link);
	sv->nsessions--;
	server_resume(sv, s);
	wheel_cancel(&sv->wheel, &s->timer);
	tls_names_cancel(&s->identity_wait);
	sv->question_ops->cancel(sv->directory, &s->call);
	session_ahead_free(s);
	session_facts_free(s);
}

static void
release(struct session **sp)
{
	struct session *s = *sp;

	*sp = NULL;
	txn_free(&s->txn);
	tls_handshake_free(&s->handshake);
	transport_release(&s->transport);
	tls_info_free(&s->tls);
	buf_release(&s->in);
	login_free(&s->login);
	free(s->account);
	free(s->helo);
	free(s->helo_named);
	settings_unref(&s->settings);
	free(s);
}

void
session_discard(struct session **s)
{
	leave_server(*s);
	release(s);
}

void
session_log_end(const struct session *s, const char *end)
{
	char text[SESSION_TLS_TEXT_SIZE], name[SESSION_FACTS_TEXT_SIZE];

	log_info("session=%s client=%s%s uid=%" PRId64
		 "%s end=\"%s\" accepted=%u refused=%u ms=%" PRIu64,
	    s->id, s->origin.text[0] != '\0' ? s->origin.text : "local",
	    session_facts_text(s, name), s->origin.uid, session_tls_text(s, text), end,
	    s->accepted, s->refusals, s->server->clock() - s->began_ms);
}

void
session_free(struct session **sp)
{
	struct session *s = *sp;
	struct server *sv;

	if (s == NULL)
		return;
	sv = s->server;
	session_log_end(s, s->end != NULL ? s->end : "abandoned");
	session_tell_commands(s);
	leave_server(s);
	if (sv->on_session_end != NULL)
		sv->on_session_end(s, sv->arg);
	release(sp);
}
