/*
 * smtp_transaction: one message over a connection: MAIL, RCPT, DATA in as few
 * writes as the server allows, content, and what each reply means for whom. The
 * other half of smtp_client.c.
 *
 * Commands are counted: 0 is MAIL, 1 to n the recipients in order, n + 1 DATA.
 * Replies come in the same order (RFC 2920 3.1), so the count of answers says
 * whose reply this is.
 */
#include "deliver/smtp_client_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/log.h"

#define PIPELINE_MAX 256 /* commands sent and not answered */
#define CHUNK_SIZE   32768

static void perform_content(struct smtp_client *);
static void begin_slice(struct smtp_client *);

/* --- verdicts --- */

static void
decide(struct smtp_recipient *r, const struct verdict *v)
{
	if (r->decided)
		return;
	r->verdict = *v;
	r->decided = true;
}

static void
decide_rest(struct smtp_client *c, const struct verdict *v)
{
	for (size_t i = 0; i < c->t->nrecipients; i++)
		decide(&c->t->recipients[i], v);
}

void
smtp_transaction_end(struct smtp_client *c, enum smtp_outcome outcome)
{
	struct smtp_transaction *t = c->t;

	c->t = NULL;
	smtp_slices_release(c);
	c->count++;
	c->ops->on_done(c, t, outcome, c->arg);
}

void
smtp_transaction_break(struct smtp_client *c, const struct verdict *v)
{
	struct verdict temporary = *v;

	if (v->kind != VERDICT_TEMPORARY)
		verdict_set_parts(&temporary, VERDICT_TEMPORARY, v->code, span_str(v->status),
		    span_str(v->text));
	decide_rest(c, &temporary);
	smtp_transaction_end(c, !c->said       ? SMTP_STALE
				: c->elsewhere ? SMTP_REFUSED
					       : SMTP_BROKEN);
}

/* --- the end of a transaction --- */

static void
perform_rset(struct smtp_client *c)
{
	smtp_client_set_state(c, SMTP_RSET);
	buf_add_str(stream_out(c->stream), "RSET\r\n");
	stream_push(c->stream);
}

/* The slice is done with. The next one, if there is any; false: the transaction ends. */
static bool
go_on(struct smtp_client *c)
{
	if (!smtp_slices_more(c))
		return false;
	if (smtp_client_is_spent(c)) {
		smtp_transaction_end(c, SMTP_PARTIAL);
		if (!c->doomed)
			smtp_client_ready(c);
		return true;
	}
	begin_slice(c);
	return true;
}

static void
on_rset_reply(struct smtp_client *c)
{
	if (reply_class(&c->reply) != 2)
		smtp_client_protocol_error(c, "RSET");
	else if (c->t == NULL || !go_on(c))
		smtp_client_ready(c);
}

/* The verdicts are known, but the server still has a transaction open. */
static void
end_and_reset(struct smtp_client *c)
{
	if (smtp_slices_more(c)) {
		perform_rset(c);
		return;
	}
	smtp_transaction_end(c, c->elsewhere ? SMTP_REFUSED : SMTP_DONE);
	if (!c->doomed)
		perform_rset(c);
}

static void
on_final_reply(struct smtp_client *c)
{
	struct verdict v;

	if (reply_class(&c->reply) == 3) {
		smtp_client_protocol_error(c, "the end of the message");
		return;
	}
	reply_verdict(&c->reply, &v);
	/* It took the message for these; a refusal of the message would be the same for all others. */
	for (size_t i = 0; v.kind == VERDICT_OK && i < c->slice.n; i++)
		decide(smtp_slices_at(c, i), &v);
	if (v.kind == VERDICT_OK && go_on(c))
		return;
	decide_rest(c, &v);
	smtp_transaction_end(c, SMTP_DONE);
	if (!c->doomed)
		smtp_client_ready(c);
}

static void
on_empty_reply(struct smtp_client *c)
{
	end_and_reset(c);
}

/* --- envelope --- */

/* A parameter of RFC 3461, where the server knows them and there is something to say. */
static void
add_dsn(struct smtp_client *c, const char *name, const char *value)
{
	if (c->dsn && value != NULL && value[0] != '\0')
		buf_addf(stream_out(c->stream), " %s=%s", name, value);
}

static void
add_mail(struct smtp_client *c)
{
	struct buf *out = stream_out(c->stream);

	c->mails++;
	buf_addf(out, "MAIL FROM:<%s>", c->t->from);
	if (c->size)
		buf_addf(out, " SIZE=%" PRIu64, c->t->wire_size);
	if (c->t->eight_bit)
		buf_add_str(out, " BODY=8BITMIME");
	if (c->slice.utf8)
		buf_add_str(out, " SMTPUTF8");
	add_dsn(c, "RET", c->t->ret);
	add_dsn(c, "ENVID", c->t->envid);
	buf_add_str(out, "\r\n");
}

static void
add_rcpt(struct smtp_client *c, const struct smtp_recipient *r)
{
	struct buf *out = stream_out(c->stream);

	buf_addf(out, "RCPT TO:<%s>", r->address);
	add_dsn(c, "NOTIFY", r->notify);
	add_dsn(c, "ORCPT", r->orcpt);
	buf_add_str(out, "\r\n");
}

/* Is the next command to be sent now? */
static bool
may_send(const struct smtp_client *c)
{
	size_t n = c->slice.n;

	if (c->sent > n + 1)
		return false;
	if (c->sent == c->answered) {
		/* All is answered: what the answers were is known. */
		return c->sent == 0 || (!c->refused && (c->sent <= n || c->naccepted > 0));
	}
	return c->pipelining && c->sent - c->answered < PIPELINE_MAX;
}

/* Sends what may be sent; ends the envelope when nothing is awaited and nothing more may be sent. */
static void
perform_envelope(struct smtp_client *c)
{
	struct buf *out = stream_out(c->stream);
	size_t n = c->slice.n;

	while (may_send(c)) {
		if (c->sent == 0)
			add_mail(c);
		else if (c->sent <= n)
			add_rcpt(c, smtp_slices_at(c, c->sent - 1));
		else
			buf_add_str(out, "DATA\r\n");
		c->sent++;
	}
	if (c->sent == c->answered)
		end_and_reset(c); /* refused, all of it, before DATA */
	else
		stream_push(c->stream);
}

static void
begin_slice(struct smtp_client *c)
{
	(void)smtp_slices_begin(c); /* somebody is left */
	c->sent = c->answered = c->naccepted = 0;
	c->refused = false;
	smtp_client_set_state(c, SMTP_ENVELOPE);
	perform_envelope(c);
}

/*
 * MAIL: a refusal is about everybody who is left. Of those of an earlier slice the server has said what became of them:
 * the transaction does not go to another host as a whole then.
 */
static bool
on_mail_reply(struct smtp_client *c)
{
	struct verdict v;

	if (reply_class(&c->reply) == 3)
		return false;
	if (reply_class(&c->reply) == 2)
		return true;
	reply_verdict(&c->reply, &v);
	decide_rest(c, &v);
	c->refused = true;
	c->elsewhere = v.kind == VERDICT_TEMPORARY && c->slice.first == 0;
	return true;
}

static bool
on_rcpt_reply(struct smtp_client *c, size_t i)
{
	struct smtp_recipient *r = smtp_slices_at(c, i);
	struct verdict v;

	if (reply_class(&c->reply) == 3)
		return false;
	reply_verdict(&c->reply, &v);
	if (v.kind == VERDICT_OK) {
		if (!r->decided) {
			r->accepted = true;
			c->naccepted++;
		}
		return true;
	}
	/* "Too many recipients" is no verdict about this one (RFC 5321 4.5.3.1.10). */
	if (v.code == 552 && strcmp(v.status, "5.5.3") == 0)
		verdict_set_parts(
		    &v, VERDICT_TEMPORARY, v.code, span_str(v.status), span_str(v.text));
	decide(r, &v);
	return true;
}

static void
perform_empty(struct smtp_client *c)
{
	smtp_client_set_state(c, SMTP_EMPTY);
	/* With the CRLF that ended DATA this is the whole end mark (RFC 5321 4.1.1.4). */
	buf_add_str(stream_out(c->stream), ".\r\n");
	stream_push(c->stream);
}

static void
on_data_reply(struct smtp_client *c)
{
	struct verdict v;

	if (reply_class(&c->reply) == 2) {
		smtp_client_protocol_error(c, "DATA");
		return;
	}
	if (reply_class(&c->reply) == 3 && c->naccepted > 0) {
		smtp_client_set_state(c, SMTP_CONTENT);
		wire_end_init(&c->wire);
		c->at = 0;
		perform_content(c);
		return;
	}
	if (reply_class(&c->reply) == 3) { /* RFC 2920 3.1: it takes a message for nobody */
		perform_empty(c);
		return;
	}
	/* Without a recipient DATA is refused for that; else it is about the message, whoever gets it. */
	reply_verdict(&c->reply, &v);
	if (c->naccepted > 0)
		decide_rest(c, &v);
	end_and_reset(c);
}

static void
on_envelope_reply(struct smtp_client *c)
{
	size_t which = c->answered++, n = c->slice.n;
	bool ok = true;

	if (which == n + 1) {
		on_data_reply(c);
		return;
	}
	ok = which == 0 ? on_mail_reply(c) : on_rcpt_reply(c, which - 1);
	if (!ok) {
		smtp_client_protocol_error(c, which == 0 ? "MAIL" : "RCPT");
		return;
	}
	smtp_client_extend(c);
	if (c->answered == c->sent || may_send(c))
		perform_envelope(c);
}

/* --- content --- */

/* The message cannot be read: without its end it must not be sent, so the connection has to go. */
static void
fail_reading(struct smtp_client *c)
{
	struct verdict v;

	verdict_set(
	    &v, VERDICT_TEMPORARY, 0, "4.3.0", "Cannot read the message: %s", strerror(errno));
	log_warnx("peer=%s %s", c->peer, v.text);
	smtp_client_fail(c, SMTP_STAGE_TRANSACTION, &v);
}

static void
perform_content(struct smtp_client *c)
{
	struct buf *out = stream_out(c->stream);
	char chunk[CHUNK_SIZE];

	while (stream_backlog(c->stream) < STREAM_OUT_WANT) {
		ssize_t n = c->t->read(c->t->content, c->at, chunk, sizeof chunk);
		struct span in = span_make(chunk, n > 0 ? (size_t)n : 0);

		if (n < 0) {
			fail_reading(c);
			return;
		}
		if (n == 0) {
			wire_end_finish(&c->wire, out);
			smtp_client_set_state(c, SMTP_FINAL);
			stream_push(c->stream);
			return;
		}
		c->at += (uint64_t)n;
		(void)wire_end_feed(&c->wire, &in, out); /* out has room for twice a chunk */
		if ((uint64_t)n == sizeof chunk)
			stream_push(c->stream);
	}
}

void
smtp_transaction_on_drained(struct smtp_client *c)
{
	if (c->state != SMTP_CONTENT)
		return;
	smtp_client_extend(c);
	perform_content(c);
}

/* The server did not wait for the end of the message: it refuses, and nothing more can be in step. */
static void
on_early_reply(struct smtp_client *c)
{
	struct verdict v;

	reply_verdict(&c->reply, &v);
	if (v.kind == VERDICT_OK) {
		smtp_client_protocol_error(c, "a message that has not ended");
		return;
	}
	decide_rest(c, &v);
	smtp_client_fail(c, SMTP_STAGE_TRANSACTION, &v);
}

/* --- from smtp_client.c --- */

void
smtp_transaction_on_reply(struct smtp_client *c)
{
	struct verdict v;

	c->said = true;
	if (c->reply.code == 421) { /* RFC 5321 3.8: it will close */
		c->elsewhere = c->state == SMTP_ENVELOPE && (c->answered == 0 || c->elsewhere);
		reply_verdict(&c->reply, &v);
		smtp_client_fail(c, SMTP_STAGE_TRANSACTION, &v);
		return;
	}
	switch (c->state) {
	case SMTP_ENVELOPE:
		on_envelope_reply(c);
		break;
	case SMTP_CONTENT:
		on_early_reply(c);
		break;
	case SMTP_FINAL:
		on_final_reply(c);
		break;
	case SMTP_EMPTY:
		on_empty_reply(c);
		break;
	default:
		on_rset_reply(c);
		break;
	}
}

/* What can be told without asking the server: to everybody, or to those whose address it cannot take. */
static void
check_extensions(struct smtp_client *c)
{
	struct smtp_transaction *t = c->t;
	struct verdict v;

	if (!c->utf8)
		smtp_slices_refuse_utf8(c);
	if (t->utf8 && !c->utf8)
		verdict_set(&v, VERDICT_PERMANENT, 553, "5.6.7",
		    "%s takes no internationalized mail (SMTPUTF8), and this is one by its "
		    "sender or header",
		    c->peer);
	else if (t->eight_bit && !c->eight_bit)
		verdict_set(&v, VERDICT_PERMANENT, 554, "5.6.3",
		    "%s takes no 8-bit messages (8BITMIME), and this one is not converted",
		    c->peer);
	else if (c->limited && t->size > c->size_limit)
		verdict_set(&v, VERDICT_PERMANENT, 552, "5.3.4",
		    "%s takes messages up to %" PRIu64 " octets, this one has %" PRIu64,
		    c->peer, c->size_limit, t->size);
	else
		return;
	decide_rest(c, &v);
}

void
smtp_client_send(struct smtp_client *c, struct smtp_transaction *t)
{
	c->t = t;
	t->dsn = c->dsn;
	c->said = c->elsewhere = false;
	smtp_client_set_state(c, SMTP_ENVELOPE);
	check_extensions(c);
	smtp_slices_init(c);
	c->decided_here = c->slice.nwho == 0;
	if (c->decided_here)
		event_active(c->later, EV_TIMEOUT, 0);
	else
		begin_slice(c);
}
