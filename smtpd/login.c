/* login: AUTH after the command. See login.h. Called by cmd_auth and by session_input. */
#include "smtpd/login.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/log.h"
#include "common/log_value.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "smtpd/login_scram.h"
#include "smtpd/session.h"
#include "smtpd/session_tls.h"

/* What a response may be when it is decoded: two names and a password with room. */
#define RESPONSE_MAX 12288

void
login_free(struct login **lp)
{
	if (*lp == NULL)
		return;
	login_scram_free(&(*lp)->scram);
	explicit_bzero(*lp, sizeof **lp);
	free(*lp);
	*lp = NULL;
}

static enum login_step
keep_user(struct login *l, struct span user)
{
	l->has_user = true;
	if (user.len == 0 || user.len > sizeof l->user || !utf8_valid(user) ||
	    span_has_control(user))
		return LOGIN_FAILS;
	memcpy(l->user, user.p, user.len);
	l->user_len = user.len;
	return LOGIN_MORE;
}

static enum login_step
keep_password(struct login *l, struct span password)
{
	if (password.len == 0 || password.len > sizeof l->password ||
	    span_index(password, '\0') >= 0)
		return LOGIN_FAILS;
	memcpy(l->password, password.p, password.len);
	l->password_len = password.len;
	return LOGIN_READY;
}

/* RFC 4616 2: [authzid] NUL authcid NUL passwd. Nobody acts for another here. */
static enum login_step
take_plain(struct login *l, struct span message)
{
	struct span as = span_cut(&message, '\0'), user;

	if (message.p == NULL)
		return LOGIN_WRONG;
	user = span_cut(&message, '\0');
	if (message.p == NULL || span_index(message, '\0') >= 0)
		return LOGIN_WRONG;
	if (keep_user(l, user) != LOGIN_MORE || (as.len > 0 && !span_eq_nocase(as, user)))
		return LOGIN_FAILS;
	return keep_password(l, message);
}

enum login_step
login_take(struct login *l, struct span response)
{
	enum login_step step = LOGIN_WRONG;
	struct buf message;

	buf_init_secret(&message, RESPONSE_MAX);
	if (base64_decode(response, &message) != 0)
		step = LOGIN_WRONG;
	else if (l->scram != NULL)
		step = login_scram_take(l, buf_span(&message));
	else if (l->mechanism == LOGIN_PLAIN)
		step = take_plain(l, buf_span(&message));
	else if (!l->has_user)
		/* A user who cannot be is still asked for his password, as everybody is. */
		step =
		    keep_user(l, buf_span(&message)) == LOGIN_WRONG ? LOGIN_WRONG : LOGIN_MORE;
	else
		step = keep_password(l, buf_span(&message));
	buf_release(&message);
	return step;
}

bool
login_is_offered(const struct session *s)
{
	return s->origin.role == LISTENER_SUBMISSION &&
	       (s->tls != NULL || s->settings->auth_without_tls);
}

unsigned
login_offers(const struct session *s)
{
	char channel[LOGIN_CHANNEL_SIZE];
	unsigned offers;

	if (!login_is_offered(s))
		return 0;
	offers = OFFER_AUTH | (s->scram ? OFFER_SCRAM : 0U);
	if (s->scram && session_tls_binding(s, channel, sizeof channel) == 0)
		offers |= OFFER_SCRAM_PLUS;
	explicit_bzero(channel, sizeof channel);
	return offers;
}

static const struct {
	const char *name;
	unsigned offer;
} mechanisms[] = {
    [LOGIN_PLAIN] = {"PLAIN", OFFER_AUTH},
    [LOGIN_LOGIN] = {"LOGIN", OFFER_AUTH},
    [LOGIN_SCRAM] = {"SCRAM-SHA-256", OFFER_SCRAM},
    [LOGIN_SCRAM_PLUS] = {"SCRAM-SHA-256-PLUS", OFFER_SCRAM_PLUS},
};

int
login_find_mechanism(const struct session *s, struct span name, enum login_mechanism *m)
{
	unsigned offers = session_offers(s);

	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
		if ((offers & mechanisms[i].offer) != 0 &&
		    span_is_nocase(name, mechanisms[i].name)) {
			*m = (enum login_mechanism)i;
			return 0;
		}
	}
	return -1;
}

void
login_fill(const struct login *l, struct question *q)
{
	q->user = span_make(l->user, l->user_len);
	q->password = span_make(l->password, l->password_len);
	if (l->scram != NULL)
		login_scram_fill(l->scram, q);
}

/* One attempt more that came to nothing; who goes on is sent away. */
static void
fail(struct session *s, enum smtp_reply_id id)
{
	login_free(&s->login);
	if (s->state == SESSION_LOGIN)
		session_set_state(s, SESSION_COMMAND);
	session_reply(
	    s, ++s->logins < s->settings->auth_failure_limit ? id : REPLY_TOO_MANY_LOGINS);
}

static void
log_in(struct session *s, struct span account)
{
	s->account = xspandup(account);
	log_info("session=%s login=%s mechanism=%s client=%s", s->id, LOG_ADDRESS(account),
	    mechanisms[s->login->mechanism].name, s->origin.text);
	login_free(&s->login);
	if (s->state == SESSION_LOGIN)
		session_set_state(s, SESSION_COMMAND);
	session_reply(s, REPLY_LOGGED_IN);
}

/* The next word is the client's. */
static void
challenge(struct session *s, struct span message)
{
	struct buf reply;

	buf_init(&reply, RESPONSE_MAX);
	buf_add_str(&reply, "334 ");
	base64_encode(message, &reply);
	buf_add_str(&reply, "\r\n");
	session_reply_text(s, buf_str(&reply));
	buf_release(&reply);
	session_set_state(s, SESSION_LOGIN);
}

/* What clients of LOGIN know; others begin by themselves. */
static struct span
prompt(const struct login *l)
{
	return span_str(l->mechanism != LOGIN_LOGIN ? ""
			: l->has_user		    ? "Password:"
						    : "Username:");
}

/* RFC 5802 7, server-final-message. Who the client is counts when it has seen that we know it, too. */
static void
show_signature(struct session *s, const struct answer *a)
{
	struct buf message;

	s->login->scram->stage = SCRAM_SHOWN;
	s->login->scram->account = xspandup(a->account);
	buf_init(&message, RESPONSE_MAX);
	buf_add_str(&message, "v=");
	base64_encode(a->signature, &message);
	challenge(s, buf_span(&message));
	buf_release(&message);
}

/* Answers of a directory that make no sense here are no answers. */
static bool
on_success(struct session *s, const struct answer *a)
{
	struct login_scram *scram = s->login->scram;

	if (scram == NULL && a->account.len > 0) {
		log_in(s, a->account);
	} else if (scram != NULL && scram->stage == SCRAM_FINAL && a->account.len > 0 &&
		   a->signature.len == SCRAM_KEY_SIZE) {
		show_signature(s, a);
	} else if (scram != NULL && login_scram_challenge(scram, a->challenge) == 0) {
		challenge(s, a->challenge);
	} else {
		return false;
	}
	return true;
}

static void
on_answer(const struct answer *a, void *arg)
{
	struct session *s = arg;
	struct span user = span_make(s->login->user, s->login->user_len);

	if (a->verdict.kind != VERDICT_OK || !on_success(s, a)) {
		log_info("session=%s login failed rule=%.*s user=<%s> client=%s", s->id,
		    SPAN_ARG(a->rule), LOG_ADDRESS(user), s->origin.text);
		if (a->verdict.kind == VERDICT_PERMANENT) {
			fail(s, REPLY_LOGIN_FAILED);
		} else if (a->verdict.kind == VERDICT_OK) {
			login_free(&s->login);
			session_reply(s, REPLY_CANNOT_TELL);
		} else {
			login_free(&s->login);
			session_reply_verdict(s, &a->verdict, a->rule);
		}
	}
	session_finish(s);
}

static enum command_result
take(struct session *s, struct span response)
{
	struct login *l = s->login;

	switch (login_take(l, response)) {
	case LOGIN_WRONG:
		fail(s, REPLY_LOGIN_CODING);
		return COMMAND_FAILED;
	case LOGIN_MORE:
		challenge(s, prompt(l));
		return COMMAND_DONE;
	case LOGIN_DONE:
		log_in(s, span_str(l->scram->account));
		return COMMAND_DONE;
	case LOGIN_FAILS:
		/* Asked all the same, so that it takes as long: nobody has this name and password. */
		l->user_len = l->password_len = 0;
		break;
	case LOGIN_READY:
		break;
	}
	session_ask(s, QUESTION_LOGIN, on_answer);
	return COMMAND_WAITING;
}

enum command_result
login_begin(
    struct session *s, enum login_mechanism mechanism, bool has_response, struct span response)
{
	char channel[LOGIN_CHANNEL_SIZE];
	bool can_bind;

	s->login = xcalloc(1, sizeof *s->login);
	s->login->mechanism = mechanism;
	if (mechanism == LOGIN_SCRAM || mechanism == LOGIN_SCRAM_PLUS) {
		can_bind = session_tls_binding(s, channel, sizeof channel) == 0;
		s->login->scram =
		    login_scram_new(mechanism == LOGIN_SCRAM_PLUS, can_bind, channel);
	}
	if (has_response)
		return take(s, response);
	challenge(s, prompt(s->login));
	return COMMAND_DONE;
}

void
login_line(struct session *s, struct span line)
{
	unsigned before = s->replies;
	enum command_result r;

	s->verb = command_find(span_str("AUTH"));
	if (span_is(line, "*")) {
		fail(s, REPLY_LOGIN_CANCELLED);
		r = COMMAND_FAILED;
	} else {
		r = take(s, line);
	}
	assert(s->replies == before + (r == COMMAND_WAITING ? 0 : 1));
	s->awaited = s->replies + 1;
	if (r == COMMAND_WAITING)
		session_set_state(s, SESSION_WAITING);
}
