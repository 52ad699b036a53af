/*
 * command: the table of verbs and the dispatcher. See command.h. Called by the
 * session for each line. Invariant, asserted here: a command that is done or
 * failed has left exactly one reply, one that waits has left none.
 */
#include "smtpd/command.h"

#include <assert.h>

#include "smtpd/content.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"
#include "smtpd/verbs.h"

/* Commands that bring no message nearer, between two messages (Postfix allows as many). */
#define JUNK_MAX 100

#define SERVED	    (PHASE_CONNECTED | PHASE_READY | PHASE_MAIL | PHASE_RECIPIENT | PHASE_CHUNKS)
#define ANYWHERE    (PHASE_REFUSED | SERVED)
#define TRANSACTION (PHASE_MAIL | PHASE_RECIPIENT)

static const struct verb verbs[] = {
    {"MAIL", PHASE_READY, 0, cmd_mail_parse, cmd_mail_run},
    {"RCPT", TRANSACTION, 0, cmd_rcpt_parse, cmd_rcpt_run},
    {"DATA", PHASE_RECIPIENT, COMMAND_LAST | COMMAND_NO_ARGUMENT, NULL, cmd_data_run},
    {"EHLO", SERVED, COMMAND_JUNK, cmd_helo_parse, cmd_ehlo_run},
    {"HELO", SERVED, COMMAND_JUNK, cmd_helo_parse, cmd_helo_run},
    {"QUIT", ANYWHERE, COMMAND_NO_ARGUMENT, NULL, cmd_quit_run},
    {"RSET", SERVED, COMMAND_JUNK | COMMAND_NO_ARGUMENT, NULL, cmd_rset_run},
    {"NOOP", SERVED, COMMAND_JUNK, NULL, cmd_noop_run},
    {"VRFY", SERVED, COMMAND_JUNK, cmd_vrfy_parse, cmd_vrfy_run},
    {"HELP", SERVED, COMMAND_JUNK, NULL, cmd_help_run},
    {"BDAT", PHASE_RECIPIENT | PHASE_CHUNKS, COMMAND_CHUNK, cmd_bdat_parse, cmd_bdat_run},
    {"XSUBMITTER", PHASE_CONNECTED | PHASE_READY, COMMAND_QUEUE_MANAGER, cmd_xsubmitter_parse,
	cmd_xsubmitter_run},
    {"XCLIENT", PHASE_CONNECTED | PHASE_READY, 0, cmd_xclient_parse, cmd_xclient_run},
    {"AUTH", SERVED, 0, cmd_auth_parse, cmd_auth_run},
    {"STARTTLS", PHASE_READY,
	COMMAND_LAST | COMMAND_SECURES | COMMAND_JUNK | COMMAND_NO_ARGUMENT, NULL,
	cmd_starttls_run},
    {"EXPN", SERVED, 0, NULL, cmd_absent_run},
    {"ETRN", SERVED, 0, NULL, cmd_absent_run},
    {"TURN", SERVED, 0, NULL, cmd_absent_run},
    {"ATRN", SERVED, 0, NULL, cmd_absent_run},
    {"SEND", SERVED, 0, NULL, cmd_absent_run},
    {"SOML", SERVED, 0, NULL, cmd_absent_run},
    {"SAML", SERVED, 0, NULL, cmd_absent_run},
    /* A browser made to talk to us brings its own header and body: nothing of it is run. */
    {"GET", ANYWHERE, 0, NULL, cmd_foreign_run},
    {"POST", ANYWHERE, 0, NULL, cmd_foreign_run},
    {"PUT", ANYWHERE, 0, NULL, cmd_foreign_run},
    {"HEAD", ANYWHERE, 0, NULL, cmd_foreign_run},
    {"OPTIONS", ANYWHERE, 0, NULL, cmd_foreign_run},
    {"DELETE", ANYWHERE, 0, NULL, cmd_foreign_run},
    {"PATCH", ANYWHERE, 0, NULL, cmd_foreign_run},
    {"TRACE", ANYWHERE, 0, NULL, cmd_foreign_run},
    {"CONNECT", ANYWHERE, 0, NULL, cmd_foreign_run},
    {"PRI", ANYWHERE, 0, NULL, cmd_foreign_run},
};

/* A header field where a command should be. */
static const struct verb header_field = {"(header)", ANYWHERE, 0, NULL, cmd_foreign_run};

const struct verb *
command_find(struct span name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (span_is_nocase(name, verbs[i].name))
			return &verbs[i];
	return name.len > 1 && name.p[name.len - 1] == ':' ? &header_field : NULL;
}

struct span
command_split(struct span line, struct span *arg)
{
	struct span rest = line, name = span_cut(&rest, ' ');

	*arg = rest.p != NULL ? span_trim(rest) : span_make("", 0);
	return name;
}

static enum command_phase
phase_of(const struct session *s)
{
	if (s->refused)
		return PHASE_REFUSED;
	if (s->helo == NULL)
		return PHASE_CONNECTED;
	if (s->txn == NULL)
		return PHASE_READY;
	if (s->txn->content != NULL)
		return PHASE_CHUNKS;
	return s->txn->recipients.n > 0 ? PHASE_RECIPIENT : PHASE_MAIL;
}

/* Why a verb is not allowed in this phase. */
static enum smtp_reply_id
out_of_sequence(const struct session *s, enum command_phase phase, const struct verb *v)
{
	switch (phase) {
	case PHASE_REFUSED:
		return REPLY_ONLY_QUIT;
	case PHASE_CONNECTED:
		return REPLY_HELLO_FIRST;
	case PHASE_READY:
		return REPLY_MAIL_FIRST;
	case PHASE_MAIL:
		if ((v->phases & PHASE_RECIPIENT) == 0)
			return REPLY_NESTED;
		return s->txn->refused > 0 ? REPLY_NO_RECIPIENTS : REPLY_RECIPIENT_FIRST;
	case PHASE_CHUNKS:
		return REPLY_CHUNKED;
	case PHASE_RECIPIENT:
		break;
	}
	return REPLY_NESTED;
}

enum command_result
command_refuse(struct session *s, enum smtp_reply_id id)
{
	session_reply(s, id);
	return COMMAND_FAILED;
}

int
command_wrong(struct refusal *r, enum smtp_reply_id reply, struct span detail)
{
	*r = (struct refusal){reply, detail};
	return -1;
}

/* What the row decides, then parse, then run. */
static enum command_result
perform(struct session *s, struct command *c, struct span arg, bool input_follows)
{
	const struct verb *v = c->verb;
	enum command_phase phase = phase_of(s);
	struct refusal r = {REPLY_UNKNOWN, {NULL, 0}};

	/*
	 * First of all: what follows DATA is not to be taken for commands, whatever DATA hears; and what
	 * follows STARTTLS not for what was said inside TLS.
	 */
	if ((v->flags & COMMAND_LAST) != 0 &&
	    (input_follows || transport_input_waiting(&s->transport)))
		return command_refuse(s,
		    (v->flags & COMMAND_SECURES) != 0 ? REPLY_EARLY_CLEAR : REPLY_EARLY_INPUT);
	if ((v->flags & COMMAND_JUNK) != 0 && ++s->junk > JUNK_MAX)
		return command_refuse(s, REPLY_TOO_MUCH_JUNK);
	if ((v->phases & phase) == 0 && (v->flags & COMMAND_CHUNK) == 0)
		return command_refuse(s, out_of_sequence(s, phase, v));
	if ((v->flags & COMMAND_NO_ARGUMENT) != 0 && arg.len > 0)
		return command_refuse(s, REPLY_NO_ARGUMENT_ALLOWED);
	if (v->parse != NULL && v->parse(arg, s->esmtp ? session_offers(s) : 0, c, &r) != 0) {
		session_reply_detail(s, r.reply, r.detail);
		return COMMAND_FAILED;
	}
	if ((v->flags & COMMAND_CHUNK) != 0) {
		if (c->args.bdat.size > s->settings->message_size_limit + CONTENT_DROP_MAX)
			return command_refuse(s, REPLY_CHUNK_TOO_BIG);
		s->skip = c->args.bdat.size;
	}
	if ((v->phases & phase) == 0) {
		/* The client may wait for what it heard so far before it sends its chunk. */
		session_flush(s);
		return command_refuse(s, out_of_sequence(s, phase, v));
	}
	return v->run(s, c);
}

/* Drops the chunk behind a command that was refused. */
static void
begin_skipping(struct session *s)
{
	s->dropped = 0;
	s->mark = 0;
	session_set_state(s, SESSION_CHUNK);
}

void
command_dispatch(struct session *s, struct span line, bool input_follows)
{
	struct span arg, name = command_split(line, &arg);
	struct command c = {.verb = command_find(name)};
	unsigned before = s->replies;
	enum command_result r;

	if (c.verb != NULL && (c.verb->flags & COMMAND_QUEUE_MANAGER) != 0 &&
	    !s->origin.queue_manager)
		c.verb = NULL;
	s->verb = c.verb;
	s->commands++;
	/* Behind a chunk whose size is not known nobody knows where commands begin again. */
	if (span_has_control(line))
		r = command_refuse(s, c.verb != NULL && (c.verb->flags & COMMAND_CHUNK) != 0
					  ? REPLY_CHUNK_SIZE
					  : REPLY_CONTROL_OCTET);
	else if (c.verb == NULL)
		r = command_refuse(s, REPLY_UNKNOWN);
	else
		r = perform(s, &c, arg, input_follows);
	assert(s->replies == before + (r == COMMAND_WAITING || r == COMMAND_LATER ? 0 : 1));
	s->awaited = s->replies + 1;
	if (r == COMMAND_WAITING)
		session_set_state(s, SESSION_WAITING);
	else if (s->skip > 0 && s->state == SESSION_COMMAND)
		begin_skipping(s);
}
