/*
 * session: one SMTP connection. See session.h. Made by the listener, driven by
 * its socket, its timer and the answers it waits for.
 *
 * Each of those events ends in settle: replies leave in one write, reading goes on
 * or is held back, the clock is set, and a session that has ended is freed. Held
 * back it is lazily: a client that waits for its answer sends nothing, so most
 * sessions never change what the kernel watches.
 */
#include "smtpd/session.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xalloc.h"
#include "smtpd/login.h"
#include "smtpd/session_ahead.h"
#include "smtpd/session_facts.h"
#include "smtpd/session_input.h"
#include "smtpd/session_private.h"
#include "smtpd/session_tls.h"
#include "smtpd/tls_handshake.h"
#include "smtpd/txn.h"

/* While a command waits the replies before it wait too, up to this many octets (one write for a group). */
#define HOLD_MAX 2048

/* What is dropped behind the last reply before the connection is cut. */
#define LINGER_MAX (1U << 20)

#define CLOSING_MS   10000
#define HANDSHAKE_MS 30000
#define LINGERING_MS 2000
#define LONG_MS	     (UINT64_C(24) * 3600 * 1000)

static void on_readable(void *);
static void on_writable(void *);
static void settle(struct session *);

static const struct transport_ops transport_ops = {
    .on_readable = on_readable, .on_writable = on_writable};

/* --- state --- */

static const char *
state_name(enum session_state state)
{
	static const char *const names[] = {
	    [SESSION_HANDSHAKE] = "handshake",
	    [SESSION_GREETING] = "greeting",
	    [SESSION_COMMAND] = "command",
	    [SESSION_LOGIN] = "login",
	    [SESSION_OVERLONG] = "overlong",
	    [SESSION_CHUNK] = "chunk",
	    [SESSION_WAITING] = "waiting",
	    [SESSION_CONTENT] = "content",
	    [SESSION_FILE] = "file",
	    [SESSION_COMMITTING] = "committing",
	    [SESSION_SECURING] = "securing",
	    [SESSION_CLOSING] = "closing",
	    [SESSION_LINGERING] = "lingering",
	    [SESSION_DEAD] = "dead",
	};

	return names[state];
}

/* How long a state may last. Those that wait for our own processes are ended by them. */
static uint64_t
time_for(const struct session *s, enum session_state state)
{
	switch (state) {
	case SESSION_HANDSHAKE:
		return s->settings->idle_ms < HANDSHAKE_MS ? s->settings->idle_ms
							   : HANDSHAKE_MS;
	case SESSION_GREETING:
		return (s->greeting_waits & GREETING_WAITS_DELAY) != 0
			   ? s->settings->greeting_delay_ms
			   : LONG_MS;
	case SESSION_COMMAND:
	case SESSION_LOGIN:
	case SESSION_OVERLONG:
	case SESSION_CHUNK:
	case SESSION_CONTENT:
		return s->settings->idle_ms;
	case SESSION_SECURING:
	case SESSION_CLOSING:
		return CLOSING_MS;
	case SESSION_LINGERING:
		return LINGERING_MS;
	case SESSION_WAITING:
	case SESSION_FILE:
	case SESSION_COMMITTING:
	case SESSION_DEAD:
		break;
	}
	return LONG_MS;
}

static void
restart_clock(struct session *s)
{
	s->until_ms = s->server->clock() + time_for(s, s->state);
}

void
session_set_state(struct session *s, enum session_state state)
{
	if (state != s->state)
		log_debug("session=%s state %s -> %s", s->id, state_name(s->state),
		    state_name(state));
	s->state = state;
	restart_clock(s);
}

void
session_close(struct session *s, const char *end, bool lingers)
{
	s->end = end;
	s->lingers = lingers;
	session_set_state(s, SESSION_CLOSING);
}

/* Is the whole session's time-out in force? Not where it is ending anyway, or nothing can be said or undone. */
static bool
is_bounded(const struct session *s)
{
	return s->state != SESSION_COMMITTING && s->state != SESSION_SECURING &&
	       s->state != SESSION_HANDSHAKE && s->state != SESSION_CLOSING &&
	       s->state != SESSION_LINGERING;
}

/* When the session and the transaction have lasted too long, however busy they are. */
static uint64_t
whole_until(const struct session *s)
{
	uint64_t until = s->began_ms + s->settings->session_ms;

	if (s->txn != NULL && s->txn->began_ms + s->settings->transaction_ms < until)
		until = s->txn->began_ms + s->settings->transaction_ms;
	return until;
}

static bool
takes_input(const struct session *s)
{
	if (s->paused)
		return false;
	switch (s->state) {
	case SESSION_GREETING:
	case SESSION_COMMAND:
	case SESSION_LOGIN:
	case SESSION_OVERLONG:
	case SESSION_CHUNK:
	case SESSION_CONTENT:
	case SESSION_LINGERING:
		return transport_backlog(&s->transport) < SESSION_BACKLOG_MAX;
	default:
		return false;
	}
}

void
session_flush(struct session *s)
{
	size_t backlog = transport_backlog(&s->transport);

	/* The reply to a refused chunk leaves behind its octets (RFC 3030 2). */
	if (backlog == 0 ||
	    ((s->state == SESSION_WAITING || s->state == SESSION_CHUNK) && backlog < HOLD_MAX))
		return;
	if (s->state == SESSION_CLOSING && !s->lingers)
		transport_set_last(&s->transport);
	if (transport_flush(&s->transport) == TRANSPORT_GONE) {
		/* A message on its way to disk is not called back; the client will not hear of it. */
		buf_clear(&s->transport.out);
		s->transport.sent = 0;
		if (s->state != SESSION_COMMITTING) {
			s->end = "connection lost";
			session_set_state(s, SESSION_DEAD);
		}
	}
}

void
session_finish(struct session *s)
{
	assert(s->replies == s->awaited);
	if (s->state == SESSION_WAITING)
		session_set_state(s, SESSION_COMMAND);
	session_continue(s);
}

bool
session_believes_xclient(const struct session *s)
{
	return s->origin.role != LISTENER_SUBMIT &&
	       config_netblocks_find(&s->settings->xclient_from, &s->origin.peer) != NULL;
}

unsigned
session_offers(const struct session *s)
{
	return s->settings->offers | (session_tls_is_offered(s) ? OFFER_STARTTLS : 0U) |
	       login_offers(s) | (session_believes_xclient(s) ? OFFER_XCLIENT : 0U) |
	       (s->account != NULL && s->settings->future_release > 0 ? OFFER_FUTURE_RELEASE
								      : 0U);
}

static void
on_readable(void *arg)
{
	struct session *s = arg;
	bool secret = s->origin.role == LISTENER_SUBMISSION && s->account == NULL;
	ssize_t n;

	if (!takes_input(s) || (s->state == SESSION_GREETING && !session_delays_greeting(s))) {
		transport_set_reading(&s->transport, false);
		return;
	}
	n = transport_read(&s->transport, s->server->input, SERVER_INPUT_SIZE);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n > 0 && s->state == SESSION_GREETING)
		session_reply(s, REPLY_EARLY_TALKER);
	else if (n > 0)
		session_input_fresh(s, span_make(s->server->input, (size_t)n));
	else if (s->state == SESSION_LINGERING)
		session_set_state(s, SESSION_DEAD);
	else
		session_close(s, n == 0 ? "client closed" : "connection lost", false);
	/* A password may have been in it; another session's input would not overwrite all. */
	if (secret && n > 0)
		explicit_bzero(s->server->input, (size_t)n);
	settle(s);
}

static void
on_writable(void *arg)
{
	session_continue(arg);
}

void
session_open(struct session *s, int fd, SSL *ssl)
{
	transport_init(&s->transport, s->server->base, fd, ssl, &transport_ops, s);
}

void
session_continue(struct session *s)
{
	session_input_kept(s);
	settle(s);
}

/* --- what every event ends with --- */

/* Whatever was under way is given up; nobody may come back to it. */
static void
give_up(struct session *s)
{
	s->server->question_ops->cancel(s->server->directory, &s->call);
	session_ahead_free(s);
	session_facts_cancel(s);
	tls_names_cancel(&s->identity_wait);
	txn_free(&s->txn);
	login_free(&s->login);
	buf_release(&s->in);
}

/* The last reply has left. */
static void
finish_closing(struct session *s)
{
	/* At the end of service nobody is waited for; an idle client has sent nothing that could reset it. */
	if (s->lingers && !s->server->stopping) {
		s->dropped = 0;
		transport_end(&s->transport);
		session_set_state(s, SESSION_LINGERING);
	} else {
		session_set_state(s, SESSION_DEAD);
	}
}

void
session_set_timer(struct session *s)
{
	uint64_t until = s->until_ms, last = is_bounded(s) ? whole_until(s) : UINT64_MAX;

	wheel_set(&s->server->wheel, &s->timer, last < until ? last : until);
}

static void
settle(struct session *s)
{
	if (s->server->stopping && (s->state == SESSION_COMMAND || s->state == SESSION_LOGIN))
		session_reply(s, REPLY_STOPPING);
	if (s->state == SESSION_CLOSING)
		give_up(s);
	session_flush(s);
	if (s->state == SESSION_SECURING && transport_backlog(&s->transport) == 0) {
		session_tls_succeed(&s);
		return;
	}
	if (s->state == SESSION_CLOSING && transport_backlog(&s->transport) == 0)
		finish_closing(s);
	if (s->state == SESSION_DEAD ||
	    (s->state == SESSION_LINGERING && s->dropped > LINGER_MAX)) {
		session_free(&s);
		return;
	}
	if (takes_input(s))
		transport_set_reading(&s->transport, true);
	else if (s->state == SESSION_CLOSING || s->state == SESSION_SECURING)
		transport_set_reading(&s->transport, false);
	session_set_timer(s);
}

/* --- time --- */

/* Octets of content, or of a chunk that is dropped. */
static uint64_t
content_so_far(const struct session *s)
{
	const struct content *c = s->state == SESSION_CONTENT ? s->txn->content : NULL;

	return c != NULL ? c->size + c->dropped : s->dropped;
}

/* An idle-timeout of content is over: did enough come? */
static void
check_rate(struct session *s)
{
	uint64_t now = content_so_far(s), came = now - s->mark;

	if (came >= s->settings->idle_ms * s->settings->minimum_rate / 1000 && came > 0) {
		s->mark = now;
		restart_clock(s);
		return;
	}
	session_reply(s, came == 0 ? REPLY_IDLE : REPLY_SLOW);
}

void
session_on_time(struct session *s)
{
	uint64_t now = s->server->clock();

	if (is_bounded(s) && now >= whole_until(s)) {
		session_reply(s, now >= s->began_ms + s->settings->session_ms
				     ? REPLY_SESSION_TIME
				     : REPLY_TRANSACTION_TIME);
	} else if (now >= s->until_ms) {
		switch (s->state) {
		case SESSION_GREETING:
			s->greeting_waits &= ~(unsigned)GREETING_WAITS_DELAY;
			restart_clock(s);
			session_greet(s);
			break;
		case SESSION_COMMAND:
		case SESSION_LOGIN:
		case SESSION_OVERLONG:
			session_reply(s, REPLY_IDLE);
			break;
		case SESSION_CHUNK:
		case SESSION_CONTENT:
			check_rate(s);
			break;
		case SESSION_HANDSHAKE:
			s->end = "TLS handshake timed out";
			session_set_state(s, SESSION_DEAD);
			break;
		case SESSION_SECURING:
		case SESSION_CLOSING:
		case SESSION_LINGERING:
		case SESSION_DEAD:
			session_set_state(s, SESSION_DEAD);
			break;
		case SESSION_WAITING:
		case SESSION_FILE:
		case SESSION_COMMITTING:
			restart_clock(s);
			break;
		}
	}
	settle(s);
}

struct session *
session_of_timer(struct wheel_entry *e)
{
	return (struct session *)(void *)((char *)e - offsetof(struct session, timer));
}

void
session_on_stop(struct session *s)
{
	if (s->state == SESSION_GREETING || s->state == SESSION_OVERLONG ||
	    s->state == SESSION_CHUNK)
		session_reply(s, REPLY_STOPPING);
	if (s->state == SESSION_HANDSHAKE || s->state == SESSION_SECURING) {
		s->end = "stopping";
		session_set_state(s, SESSION_DEAD);
	}
	settle(s);
}
