/*
 * session_content: content of a session, from its first octet to the reply that
 * says what became of it. See session_content.h. Called by DATA, BDAT and session_input.
 * Invariants: 250 is said in on_committed and discard alone, in the first only after
 * the spool has said ok; whatever the outcome, the transaction is over.
 */
#include "smtpd/session_content.h"

#include <inttypes.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/log_value.h"
#include "smtpd/content.h"
#include "smtpd/received.h"
#include "smtpd/session.h"
#include "smtpd/session_author.h"
#include "smtpd/session_checks.h"
#include "smtpd/session_facts.h"
#include "smtpd/session_tls.h"
#include "smtpd/txn.h"

/* Of content that is looked at by header checks, at once. */
#define DEAR_PIECE 2048

uint64_t
session_content_limit(const struct session *s)
{
	return s->txn->size_limit > 0 ? s->txn->size_limit : s->settings->message_size_limit;
}

/* RFC 3848; RFC 6531 4.3. */
static const char *
protocol_name(const struct session *s)
{
	static const char *const names[] = {"ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA", "UTF8SMTP",
	    "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"};

	return s->esmtp ? names[(s->txn->utf8 ? 4 : 0) + (s->tls != NULL ? 2 : 0) +
				(s->account != NULL ? 1 : 0)]
			: "SMTP";
}

static void
make_content(struct session *s, bool chunked)
{
	struct txn *t = s->txn;
	struct server *sv = s->server;
	bool local = s->origin.role == LISTENER_SUBMIT;
	struct content_setup setup = {
	    .spool = sv->spool_ops,
	    .spool_arg = sv->spool,
	    .budget = &sv->budget,
	    .scratch = &sv->scratch,
	    .size_limit = session_content_limit(s),
	    .hop_limit = s->settings->hop_limit,
	    .chunked = chunked,
	    .recipients = &t->recipients,
	    .check = session_checks_begin(s),
	    .author = session_author_begin(s),
	};
	struct received trace = {
	    .hostname = span_str(s->settings->hostname),
	    .helo = span_str(s->helo),
	    .name = session_facts_name(s),
	    .client = local ? NULL : &s->origin.client,
	    .uid = s->origin.uid,
	    .protocol = protocol_name(s),
	    .tls = s->tls,
	    .id = t->id,
	    .when = t->received_ms / 1000,
	};

	if (t->recipients.n == 1)
		trace.recipient = t->recipients.v[0].address;
	buf_clear(&sv->scratch);
	received_format(&trace, &sv->scratch);
	t->content = content_new(&setup, buf_span(&sv->scratch));
}

bool
session_content_begin(struct session *s, bool chunked)
{
	struct server *sv = s->server;
	struct txn *t = s->txn;

	t->message = 0;
	if (sv->spool_ops->has_room(sv->spool))
		t->message = sv->spool_ops->next_message(sv->spool);
	if (t->message == 0)
		return false;
	spool_id_format(t->message, t->id);
	t->received_ms = clock_wall_ms();
	make_content(s, chunked);
	s->mark = 0;
	return true;
}

void
session_content_end(struct session *s)
{
	txn_free(&s->txn);
	if (s->state != SESSION_CLOSING)
		session_set_state(s, SESSION_COMMAND);
}

/* Nobody is to have it: accepted, as far as the client is concerned. Nothing was waited for, so whoever fed goes on. */
static void
discard(struct session *s, const char *rule)
{
	const struct txn *t = s->txn;

	log_info("session=%s id=%s from=<%s> nrcpt=%zu size=%" PRIu64 " client=%s uid=%" PRId64
		 " discarded rule=%s",
	    s->id, t->id, LOG_ADDRESS(t->from), t->recipients.n, t->content->size,
	    s->origin.text[0] != '\0' ? s->origin.text : "local", s->origin.uid, rule);
	session_tell_accepted(s);
	session_reply_detail(s, REPLY_QUEUED, span_str(t->id));
	s->junk = 0;
	session_content_end(s);
}

static void
answer_fault(struct session *s)
{
	struct content *c = s->txn->content;
	char digits[24];
	int n;

	switch (c->fault) {
	case CONTENT_BARE:
		/* Where DATA ends is in doubt then; where a chunk does, never. */
		session_reply(s, c->chunked ? REPLY_CHUNK_BARE : REPLY_BARE_LINE_END);
		break;
	case CONTENT_TOO_BIG:
		n = snprintf(digits, sizeof digits, "%" PRIu64, c->size_limit);
		session_reply_detail(s, REPLY_TOO_BIG, span_make(digits, (size_t)n));
		break;
	case CONTENT_LOOPING:
		session_reply(s, REPLY_TOO_MANY_HOPS);
		break;
	case CONTENT_RETURNED:
		session_reply(s, REPLY_DELIVERED_BEFORE);
		break;
	case CONTENT_UNSTORED:
		session_reply_verdict(s, &c->verdict, span_str("spool"));
		break;
	case CONTENT_REFUSED:
		session_reply_verdict(s, &c->check->verdict, span_str(SESSION_CHECKS_RULE));
		break;
	case CONTENT_DISCARDED:
		discard(s, SESSION_CHECKS_RULE);
		return;
	case CONTENT_GOOD:
		fatalx("session=%s a message without a fault is refused", s->id);
	}
	session_content_end(s);
}

static struct spool_message
spool_message(struct session *s)
{
	struct txn *t = s->txn;
	struct txn_origin o = {
	    .client = span_str(s->origin.text),
	    .helo = span_str(s->helo),
	    .auth = span_str(s->account),
	    .uid = s->origin.uid,
	};

	buf_clear(&s->server->envelope);
	if (txn_format_envelope(t, &o, &s->server->envelope) != 0)
		fatalx("session=%s the envelope is larger than RCPT allows", s->id);
	return (struct spool_message){
	    t->message, t->received_ms, buf_span(&s->server->envelope)};
}

static void
log_accepted(const struct session *s)
{
	const struct txn *t = s->txn;
	char text[SESSION_TLS_TEXT_SIZE], name[SESSION_FACTS_TEXT_SIZE];

	log_info("session=%s id=%s from=<%s> nrcpt=%zu size=%" PRIu64
		 " client=%s%s uid=%" PRId64 "%s%s%s accepted",
	    s->id, t->id, LOG_ADDRESS(t->from), t->recipients.n, t->content->size,
	    s->origin.text[0] != '\0' ? s->origin.text : "local", session_facts_text(s, name),
	    s->origin.uid, session_tls_text(s, text), s->account != NULL ? " auth=" : "",
	    s->account != NULL ? LOG_ADDRESS(span_str(s->account)) : "");
}

/* With the words of discard, for who looks where mail has gone. */
static void
log_held(const struct session *s)
{
	const struct txn *t = s->txn;

	if (t->hold_rule != NULL)
		log_info("session=%s id=%s from=<%s> nrcpt=%zu held rule=%s text=\"%s\"", s->id,
		    t->id, LOG_ADDRESS(t->from), t->recipients.n, t->hold_rule,
		    LOG_QUOTED(t->hold));
}

static void
on_committed(const struct verdict *v, void *arg)
{
	struct session *s = arg;

	if (v->kind == VERDICT_OK) {
		log_accepted(s);
		log_held(s);
		session_tell_accepted(s);
		session_reply_detail(s, REPLY_QUEUED, span_str(s->txn->id));
		s->server->counts.accepted++;
		s->accepted++;
		s->junk = 0;
	} else {
		session_reply_verdict(s, v, span_str("spool"));
	}
	session_content_end(s);
	session_continue(s);
}

void
session_content_store(struct session *s)
{
	struct spool_message m = spool_message(s);

	session_set_state(s, SESSION_COMMITTING);
	if (content_commit(s->txn->content, &m, on_committed, s) != 0)
		answer_fault(s);
}

void
session_content_check(struct session *s)
{
	if (session_checks_apply(s))
		session_content_store(s);
}

/* It is whole. */
static void
commit(struct session *s)
{
	if (!txn_is_kept(s->txn))
		discard(s, "access-table");
	else if (session_author_apply(s))
		session_content_check(s);
}

/* A chunk has come: the message goes on, is complete, or was refused (RFC 3030 2). */
static void
end_chunk(struct session *s)
{
	const struct txn_chunk *chunk = &s->txn->chunk;
	struct content *c = s->txn->content;
	char digits[24];
	int n;

	if (chunk->last)
		content_finish(c);
	if (c->fault != CONTENT_GOOD && (c->fault != CONTENT_DISCARDED || chunk->last)) {
		answer_fault(s);
	} else if (chunk->last) {
		commit(s);
	} else {
		n = snprintf(digits, sizeof digits, "%" PRIu64, chunk->size);
		session_set_state(s, SESSION_COMMAND);
		session_reply_detail(s, REPLY_CHUNK, span_make(digits, (size_t)n));
	}
}

void
session_content_chunk(struct session *s, uint64_t size, bool last)
{
	const struct content *c = s->txn->content;

	s->txn->chunk = (struct txn_chunk){.size = size, .left = size, .last = last};
	s->mark = c->size + c->dropped;
	session_set_state(s, SESSION_CONTENT);
	if (size == 0)
		end_chunk(s);
}

/* The file is there, or it is not and content knows: either way the client may go on. */
static void
on_file(const struct verdict *v, void *arg)
{
	struct session *s = arg;

	(void)v;
	session_set_state(s, SESSION_CONTENT);
	if (s->txn->content->chunked && s->txn->chunk.left == 0)
		end_chunk(s);
	session_continue(s);
}

/* Feeds the rest of a chunk, and nothing behind it. */
static enum content_result
feed_chunk(struct txn *t, struct span *in)
{
	struct span part =
	    in->len < t->chunk.left ? *in : span_first(*in, (size_t)t->chunk.left);
	size_t had = part.len;
	enum content_result r = content_feed(t->content, &part);

	*in = span_skip(*in, had - part.len);
	t->chunk.left -= had - part.len;
	return r;
}

bool
session_content_is_dear(const struct session *s)
{
	const struct content *c = s->txn->content;

	return c->check != NULL && header_check_is_looking(c->check);
}

void
session_content_feed(struct session *s, struct span *in)
{
	struct span part = session_content_is_dear(s) ? span_first(*in, DEAR_PIECE) : *in;
	size_t had = part.len;
	enum content_result r;
	struct txn *t = s->txn;
	struct content *c = t->content;
	struct spool_message m;

	r = c->chunked ? feed_chunk(t, &part) : content_feed(c, &part);
	*in = span_skip(*in, had - part.len);
	switch (r) {
	case CONTENT_MORE:
		if (c->chunked && t->chunk.left == 0)
			end_chunk(s);
		break;
	case CONTENT_WANTS_FILE:
		m = spool_message(s);
		session_set_state(s, SESSION_FILE);
		content_open_file(c, &m, t->declared, on_file, s);
		break;
	case CONTENT_WHOLE:
		if (c->fault == CONTENT_GOOD)
			commit(s);
		else
			answer_fault(s);
		break;
	case CONTENT_ENDLESS:
		answer_fault(s);
		session_close(s, "endless message", true);
		break;
	}
}
