/*
 * session_input: what a session does with octets. See session_input.h. Called by
 * the session when something was read and when a wait is over. Every loop here
 * ends because input is used up, the state changed, or a reply closed the session.
 */
#include "smtpd/session_input.h"

#include "common/clock.h"
#include "common/log.h"
#include "smtpd/line.h"
#include "smtpd/login.h"
#include "smtpd/server.h"
#include "smtpd/session.h"
#include "smtpd/session_ahead.h"
#include "smtpd/session_content.h"

/* What is dropped of an overlong line before the connection ends. */
#define OVERLONG_MAX (64U << 10)

/* A part of a command line keeps no more memory than this, whatever came before it. */
#define KEPT_CAP_MAX 4096

/* RFC 4954 4: the line of AUTH and those that follow may be as long as this. */
#define LOGIN_LINE_MAX (12288U + 2)

/* After so many commands at a stretch others are first: one read may bring eight thousand. */
#define TURN_COMMANDS 64

/* And after so much processor time, in microseconds, with content that header checks look at. */
#define TURN_CHECKS 1000

static size_t
line_limit(const struct session *s, struct span in)
{
	size_t limit = s->settings->command_line_limit;

	if (limit < LOGIN_LINE_MAX &&
	    (s->state == SESSION_LOGIN || span_starts_with_nocase(in, "AUTH ")))
		return LOGIN_LINE_MAX;
	return limit;
}

/* The command line at the front of *in. False if it is not whole yet. */
static bool
take_command(struct session *s, struct span *in)
{
	struct span line;

	if (s->server->stopping) {
		session_reply(s, REPLY_STOPPING);
		return true;
	}
	s->verb = NULL;
	switch (line_take(in, line_limit(s, *in), &line)) {
	case LINE_WHOLE:
		if (s->state == SESSION_LOGIN)
			login_line(s, line);
		else
			command_dispatch(s, line, in->len > 0);
		if (s->state == SESSION_WAITING && in->len > 0)
			session_ahead_ask(s, *in, line_limit(s, *in));
		if (s->state == SESSION_COMMAND)
			session_set_state(s, SESSION_COMMAND);
		return true;
	case LINE_MORE:
		return false;
	case LINE_LONG:
		login_free(&s->login);
		s->dropped = 0;
		session_set_state(s, SESSION_OVERLONG);
		return true;
	case LINE_BARE:
		session_reply(s, REPLY_LINE_END);
		return true;
	case LINE_FOREIGN:
		session_reply(s, REPLY_NOT_TEXT);
		return true;
	}
	return true;
}

static void
drop_line(struct session *s, struct span *in)
{
	bool whole;

	s->dropped += line_skip(in, &whole);
	if (whole) {
		session_set_state(s, SESSION_COMMAND);
		session_reply(s, REPLY_LINE_TOO_LONG);
	} else if (s->dropped > OVERLONG_MAX) {
		session_reply(s, REPLY_LINE_ENDLESS);
	}
}

static void
drop_chunk(struct session *s, struct span *in)
{
	size_t n = in->len < s->skip ? in->len : (size_t)s->skip;

	*in = span_skip(*in, n);
	s->dropped += n;
	s->skip -= n;
	if (s->skip == 0)
		session_set_state(s, SESSION_COMMAND);
}

/* Is there room for another reply? A client that sends without reading has to wait. */
static bool
can_say_more(struct session *s)
{
	if (transport_backlog(&s->transport) >= SESSION_BACKLOG_MAX)
		session_flush(s);
	return transport_backlog(&s->transport) < SESSION_BACKLOG_MAX;
}

/* Content, but where others are first. *began: when this turn began with what is dear; 0: it did not yet. */
static void
take_content(struct session *s, struct span *in, uint64_t *began)
{
	if (session_content_is_dear(s)) {
		uint64_t now = clock_thread_us();

		if (*began == 0)
			*began = now;
		if (now - *began > TURN_CHECKS) {
			server_pause(s->server, s);
			return;
		}
	}
	session_content_feed(s, in);
}

/* Uses *in as far as the state allows, and others can wait. */
static void
consume(struct session *s, struct span *in)
{
	unsigned commands = 0;
	uint64_t began = 0;

	while (in->len > 0 && !s->paused) {
		if (!can_say_more(s))
			return;
		switch (s->state) {
		case SESSION_COMMAND:
		case SESSION_LOGIN:
			if (!take_command(s, in))
				return;
			if (++commands == TURN_COMMANDS)
				server_pause(s->server, s);
			break;
		case SESSION_OVERLONG:
			drop_line(s, in);
			break;
		case SESSION_CHUNK:
			drop_chunk(s, in);
			break;
		case SESSION_CONTENT:
			take_content(s, in, &began);
			break;
		case SESSION_CLOSING:
		case SESSION_LINGERING:
		case SESSION_DEAD:
			s->dropped += in->len;
			*in = (struct span){NULL, 0};
			break;
		case SESSION_HANDSHAKE:
		case SESSION_GREETING:
		case SESSION_WAITING:
		case SESSION_FILE:
		case SESSION_COMMITTING:
		case SESSION_SECURING:
			return;
		}
	}
}

/* Uses what was kept, and keeps what is left of it. */
void
session_input_kept(struct session *s)
{
	struct span in = buf_span(&s->in);
	size_t had = in.len;

	consume(s, &in);
	buf_drop(&s->in, had - in.len);
	if (s->in.len == 0) {
		buf_release(&s->in);
	} else if (s->in.cap > KEPT_CAP_MAX && s->in.len < KEPT_CAP_MAX / 2) {
		struct buf small = {.max = s->in.max, .secret = s->in.secret};

		buf_add_span(&small, buf_span(&s->in));
		buf_release(&s->in);
		s->in = small;
	}
}

/* Uses what was read just now; what cannot be used yet is copied out of the shared buffer. */
void
session_input_fresh(struct session *s, struct span fresh)
{
	if (s->in.len == 0)
		consume(s, &fresh);
	if (fresh.len > 0 && buf_add_span(&s->in, fresh) != 0)
		fatalx("session=%s read more than it was to", s->id);
	if (s->in.len > fresh.len)
		session_input_kept(s);
}
