/*
 * smtp_client: one SMTP connection: connecting, greeting, EHLO, STARTTLS, and the
 * end of it. See smtp_client.h; the mail itself is in smtp_transaction.c. Pairs
 * perform_X / on_X_reply, and one function that changes the state.
 */
#include "deliver/smtp_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/xalloc.h"
#include "deliver/smtp_client_internal.h"

static const char *const state_names[] = {
    [SMTP_CONNECTING] = "connecting",
    [SMTP_GREETING] = "greeting",
    [SMTP_EHLO] = "ehlo",
    [SMTP_HELO] = "helo",
    [SMTP_STARTTLS] = "starttls",
    [SMTP_HANDSHAKE] = "handshake",
    [SMTP_IDLE] = "idle",
    [SMTP_ENVELOPE] = "envelope",
    [SMTP_CONTENT] = "content",
    [SMTP_FINAL] = "final",
    [SMTP_EMPTY] = "empty",
    [SMTP_RSET] = "rset",
    [SMTP_OVER] = "over",
};

/* What a person reads for the reply that did not come. */
static const char *const awaited[] = {
    [SMTP_CONNECTING] = "the connection",
    [SMTP_GREETING] = "the greeting",
    [SMTP_EHLO] = "the reply to EHLO",
    [SMTP_HELO] = "the reply to HELO",
    [SMTP_STARTTLS] = "the reply to STARTTLS",
    [SMTP_HANDSHAKE] = "the TLS handshake",
    [SMTP_IDLE] = "nothing",
    [SMTP_ENVELOPE] = "the reply to MAIL, RCPT or DATA",
    [SMTP_CONTENT] = "the server to take the message",
    [SMTP_FINAL] = "the reply to the end of the message (it may have been delivered)",
    [SMTP_EMPTY] = "the reply to an empty message",
    [SMTP_RSET] = "the reply to RSET",
    [SMTP_OVER] = "nothing",
};

static void perform_ehlo(struct smtp_client *);

/* --- state --- */

static unsigned
timeout_of(const struct smtp_client *c)
{
	switch (c->state) {
	case SMTP_CONNECTING:
		return c->options.connect_timeout_ms;
	case SMTP_FINAL:
		return c->options.final_timeout_ms;
	case SMTP_IDLE:
	case SMTP_OVER:
		return 0;
	default:
		return c->options.reply_timeout_ms;
	}
}

void
smtp_client_extend(struct smtp_client *c)
{
	unsigned ms = timeout_of(c);

	if (ms == 0)
		event_del(c->timer);
	else
		event_add(c->timer, &(struct timeval){ms / 1000, (ms % 1000) * 1000});
}

void
smtp_client_set_state(struct smtp_client *c, enum smtp_state state)
{
	if (log_enabled(LOG_LEVEL_DEBUG))
		log_debug(
		    "peer=%s %s -> %s", c->peer, state_names[c->state], state_names[state]);
	c->state = state;
	smtp_client_extend(c);
}

static void
enter(struct smtp_client *c)
{
	c->depth++;
}

static void
destroy(struct smtp_client *c)
{
	stream_free(&c->stream);
	event_free(c->timer);
	event_free(c->later);
	reply_release(&c->reply);
	free(c);
}

/* True if the client was freed in a callback. */
static bool
leave(struct smtp_client *c)
{
	bool gone = c->doomed;

	if (--c->depth == 0 && gone)
		destroy(c);
	return gone;
}

void
smtp_client_free(struct smtp_client **cp)
{
	struct smtp_client *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	c->doomed = true;
	c->state = SMTP_OVER;
	event_del(c->timer);
	event_del(c->later);
	stream_free(&c->stream);
	if (c->depth == 0)
		destroy(c);
}

/* The end, from the loop. */
static void
over(struct smtp_client *c, enum smtp_stage stage, const struct verdict *v)
{
	struct verdict copy = *v;

	if (c->state == SMTP_OVER)
		return;
	smtp_client_set_state(c, SMTP_OVER);
	event_del(c->later);
	enter(c);
	stream_free(&c->stream);
	if (c->t != NULL)
		smtp_transaction_break(c, &copy);
	if (!c->doomed)
		c->ops->on_closed(c, stage, &copy, c->arg);
	leave(c);
}

void
smtp_client_fail(struct smtp_client *c, enum smtp_stage stage, const struct verdict *v)
{
	c->decided_here = false;
	c->end = *v;
	c->end_stage = stage;
	event_active(c->later, EV_TIMEOUT, 0);
}

static enum smtp_stage
stage_of(const struct smtp_client *c)
{
	if (c->state == SMTP_HANDSHAKE)
		return SMTP_STAGE_TLS;
	return c->state < SMTP_IDLE ? SMTP_STAGE_CONNECT : SMTP_STAGE_TRANSACTION;
}

void
smtp_client_protocol_error(struct smtp_client *c, const char *command)
{
	struct verdict v;

	verdict_set(&v, VERDICT_TEMPORARY, c->reply.code, "4.5.0",
	    "Protocol error: the answer to %s was \"%d %.*s\"", command, c->reply.code,
	    SPAN_ARG(span_first(buf_span(&c->reply.text), 100)));
	smtp_client_fail(c, stage_of(c), &v);
}

void
smtp_client_ready(struct smtp_client *c)
{
	smtp_client_set_state(c, SMTP_IDLE);
	enter(c);
	c->ops->on_ready(c, c->arg);
	leave(c);
}

/* A reply that ends the attempt at this host. A refusal to talk is no verdict about the mail (but RFC 7504). */
static void
fail_by_reply(struct smtp_client *c)
{
	struct verdict v;

	reply_verdict(&c->reply, &v);
	if (v.kind == VERDICT_OK) {
		smtp_client_protocol_error(c, awaited[c->state]);
		return;
	}
	if (v.kind == VERDICT_PERMANENT && v.code != 521 && v.code != 556)
		verdict_set_parts(
		    &v, VERDICT_TEMPORARY, v.code, span_str(v.status), span_str(v.text));
	smtp_client_fail(c, stage_of(c), &v);
}

/* --- greeting, EHLO, STARTTLS --- */

/* Nothing may wait unread when a command is about to be sent alone: the server would be answering what was not asked. */
static bool
in_step(struct smtp_client *c)
{
	struct verdict v;

	if (stream_in(c->stream)->len == 0)
		return true;
	verdict_set(&v, VERDICT_TEMPORARY, 0, "4.5.0",
	    "Protocol error: the server answers what it was not asked");
	smtp_client_fail(c, SMTP_STAGE_CONNECT, &v);
	return false;
}

static void
on_greeting_reply(struct smtp_client *c)
{
	if (reply_class(&c->reply) == 2)
		perform_ehlo(c);
	else
		fail_by_reply(c);
}

static void
perform_ehlo(struct smtp_client *c)
{
	if (!in_step(c))
		return;
	smtp_client_set_state(c, SMTP_EHLO);
	buf_addf(stream_out(c->stream), "EHLO %s\r\n", c->options.helo);
	stream_push(c->stream);
}

static void
perform_helo(struct smtp_client *c)
{
	if (!in_step(c))
		return;
	smtp_client_set_state(c, SMTP_HELO);
	buf_addf(stream_out(c->stream), "HELO %s\r\n", c->options.helo);
	stream_push(c->stream);
}

/* A SIZE too big for 64 bits, or none, is no limit (RFC 1870 4). */
static void
take_size(struct smtp_client *c, struct span value)
{
	c->size = true;
	c->limited =
	    span_to_u64(span_trim(value), UINT64_MAX, &c->size_limit) == 0 && c->size_limit > 0;
}

static void
take_extensions(struct smtp_client *c)
{
	struct span rest = buf_span(&c->reply.text);

	c->pipelining = c->eight_bit = c->utf8 = c->starttls = c->size = c->limited = false;
	span_cut(&rest, '\n'); /* the greeting line */
	while (rest.p != NULL) {
		struct span value = span_cut(&rest, '\n'), keyword = span_cut(&value, ' ');

		if (span_is_nocase(keyword, "PIPELINING"))
			c->pipelining = true;
		else if (span_is_nocase(keyword, "8BITMIME"))
			c->eight_bit = true;
		else if (span_is_nocase(keyword, "SMTPUTF8"))
			c->utf8 = true;
		else if (span_is_nocase(keyword, "STARTTLS"))
			c->starttls = true;
		else if (span_is_nocase(keyword, "SIZE"))
			take_size(c, value);
	}
}

static void
perform_starttls(struct smtp_client *c)
{
	if (!in_step(c))
		return;
	smtp_client_set_state(c, SMTP_STARTTLS);
	buf_add_str(stream_out(c->stream), "STARTTLS\r\n");
	stream_push(c->stream);
}

static void
on_ehlo_reply(struct smtp_client *c)
{
	if (reply_class(&c->reply) == 5) {
		perform_helo(c);
		return;
	}
	if (reply_class(&c->reply) != 2) {
		fail_by_reply(c);
		return;
	}
	take_extensions(c);
	if (c->starttls && c->options.tls != NULL && !stream_is_secure(c->stream))
		perform_starttls(c);
	else if (in_step(c))
		smtp_client_ready(c);
}

static void
on_helo_reply(struct smtp_client *c)
{
	if (reply_class(&c->reply) == 2 && in_step(c))
		smtp_client_ready(c);
	else if (reply_class(&c->reply) != 2)
		fail_by_reply(c);
}

static void
on_starttls_reply(struct smtp_client *c)
{
	SSL *ssl;

	if (reply_class(&c->reply) !=
	    2) { /* it offered and refuses: opportunistic, so in clear */
		if (in_step(c))
			smtp_client_ready(c);
		return;
	}
	if (!in_step(c))
		return;
	ssl = SSL_new(c->options.tls);
	if (ssl == NULL)
		fatalx("out of memory for TLS");
	if (c->options.sni != NULL)
		SSL_set_tlsext_host_name(ssl, c->options.sni);
	smtp_client_set_state(c, SMTP_HANDSHAKE);
	if (stream_start_tls(c->stream, ssl) != 0) {
		struct verdict v;

		verdict_set(&v, VERDICT_TEMPORARY, 0, "4.7.0",
		    "The server said more between its reply to STARTTLS and TLS; perhaps "
		    "somebody else did");
		smtp_client_fail(c, SMTP_STAGE_CONNECT, &v);
	}
}

static void
on_reply(struct smtp_client *c)
{
	if (c->state < SMTP_IDLE && c->reply.code == 421) {
		fail_by_reply(c);
		return;
	}
	switch (c->state) {
	case SMTP_GREETING:
		on_greeting_reply(c);
		break;
	case SMTP_EHLO:
		on_ehlo_reply(c);
		break;
	case SMTP_HELO:
		on_helo_reply(c);
		break;
	case SMTP_STARTTLS:
		on_starttls_reply(c);
		break;
	case SMTP_ENVELOPE:
	case SMTP_CONTENT:
	case SMTP_FINAL:
	case SMTP_EMPTY:
	case SMTP_RSET:
		smtp_transaction_on_reply(c);
		break;
	case SMTP_IDLE: /* it says good-bye, or nonsense */
		fail_by_reply(c);
		break;
	case SMTP_CONNECTING:
	case SMTP_HANDSHAKE:
	case SMTP_OVER:
		break;
	}
}

/* --- the stream --- */

static void
on_connected(struct stream *s, void *arg)
{
	(void)s;
	smtp_client_set_state(arg, SMTP_GREETING);
}

static void
on_readable(struct stream *s, void *arg)
{
	struct smtp_client *c = arg;
	enum reply_state state = REPLY_DONE;

	(void)s;
	enter(c);
	while (state == REPLY_DONE && !c->doomed && c->state != SMTP_OVER &&
	       !event_pending(c->later, EV_TIMEOUT, NULL) && stream_in(c->stream)->len > 0) {
		struct buf *in = stream_in(c->stream);
		struct span rest = buf_span(in);
		struct verdict v;

		state = reply_feed(&c->reply, &rest);
		buf_drop(in, in->len - rest.len);
		if (state == REPLY_DONE) {
			on_reply(c);
			if (!c->doomed)
				reply_clear(&c->reply);
		} else if (state == REPLY_BAD) {
			verdict_set(&v, VERDICT_TEMPORARY, 0, "4.5.0",
			    "Protocol error: what the server says is not SMTP, or without end");
			smtp_client_fail(c, stage_of(c), &v);
		}
	}
	leave(c);
}

static void
on_drained(struct stream *s, void *arg)
{
	(void)s;
	smtp_transaction_on_drained(arg);
}

static void
on_secure(struct stream *s, void *arg)
{
	(void)s;
	perform_ehlo(arg);
}

static void
on_stream_closed(struct stream *s, const char *why, void *arg)
{
	struct smtp_client *c = arg;
	struct verdict v;

	(void)s;
	if (event_pending(c->later, EV_TIMEOUT, NULL) &&
	    !c->decided_here) { /* a better reason is known */
		over(c, c->end_stage, &c->end);
		return;
	}
	verdict_set(&v, VERDICT_TEMPORARY, 0, c->state == SMTP_CONNECTING ? "4.4.1" : "4.4.2",
	    c->state == SMTP_CONNECTING ? "Cannot connect to %s: %s"
					: "Connection with %s lost while waiting for %s: %s",
	    c->peer, c->state == SMTP_CONNECTING ? why : awaited[c->state], why);
	over(c, stage_of(c), &v);
}

static const struct stream_ops stream_ops = {.on_connected = on_connected,
    .on_readable = on_readable,
    .on_drained = on_drained,
    .on_secure = on_secure,
    .on_closed = on_stream_closed};

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	struct smtp_client *c = arg;

	(void)fd, (void)what;
	if (!c->decided_here) {
		over(c, c->end_stage, &c->end);
		return;
	}
	c->decided_here = false;
	enter(c);
	smtp_transaction_end(c, SMTP_DONE);
	if (!c->doomed)
		smtp_client_ready(c);
	leave(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct smtp_client *c = arg;
	struct verdict v;

	(void)fd, (void)what;
	verdict_set(&v, VERDICT_TEMPORARY, 0, c->state == SMTP_CONNECTING ? "4.4.1" : "4.4.2",
	    "%s did not answer in time: waited for %s", c->peer, awaited[c->state]);
	over(c, stage_of(c), &v);
}

/* --- life --- */

static struct smtp_client *
client_new(struct event_base *base, const struct smtp_options *options,
    const struct smtp_client_ops *ops, void *arg)
{
	struct smtp_client *c = xcalloc(1, sizeof *c);

	c->base = base;
	c->options = *options;
	c->ops = ops;
	c->arg = arg;
	reply_init(&c->reply);
	c->timer = evtimer_new(base, on_timer, c);
	c->later = event_new(base, -1, 0, on_later, c);
	snprintf(c->peer, sizeof c->peer, "the server");
	return c;
}

struct smtp_client *
smtp_client_connect(struct event_base *base, const struct netaddr *to,
    const struct smtp_options *options, const struct smtp_client_ops *ops, void *arg)
{
	struct smtp_client *c = client_new(base, options, ops, arg);
	struct verdict v;

	netaddr_format_port(to, c->peer);
	c->stream = stream_connect(base, to, &stream_ops, c);
	smtp_client_set_state(c, SMTP_CONNECTING);
	if (c->stream == NULL) {
		verdict_set(&v, VERDICT_TEMPORARY, 0, "4.4.1", "Cannot connect to %s: %s",
		    c->peer, strerror(errno));
		smtp_client_fail(c, SMTP_STAGE_CONNECT, &v);
	}
	return c;
}

struct smtp_client *
smtp_client_new(struct event_base *base, int fd, const struct smtp_options *options,
    const struct smtp_client_ops *ops, void *arg)
{
	struct smtp_client *c = client_new(base, options, ops, arg);

	c->stream = stream_new(base, fd, &stream_ops, c);
	smtp_client_set_state(c, SMTP_GREETING);
	return c;
}

void
smtp_client_set_arg(struct smtp_client *c, void *arg)
{
	c->arg = arg;
}

void
smtp_client_quit(struct smtp_client **cp)
{
	struct smtp_client *c = *cp;

	if (c != NULL && c->stream != NULL && c->state == SMTP_IDLE) {
		buf_add_str(stream_out(c->stream), "QUIT\r\n");
		stream_push(c->stream);
	}
	smtp_client_free(cp);
}

unsigned
smtp_client_count(const struct smtp_client *c)
{
	return c->count;
}

bool
smtp_client_is_secure(const struct smtp_client *c)
{
	return c->stream != NULL && stream_is_secure(c->stream);
}
