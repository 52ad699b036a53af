/*
 * smtp_client: one SMTP connection: its states, its stream, its end. See
 * smtp_client.h; what is said until it is ready is in smtp_greeting.c, the mail
 * itself in smtp_transaction.c. One function changes the state.
 */
#include "deliver/smtp_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	smtp_slices_release(c);
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

enum smtp_stage
smtp_client_stage(const struct smtp_client *c)
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
	smtp_client_fail(c, smtp_client_stage(c), &v);
}

void
smtp_client_ready(struct smtp_client *c)
{
	smtp_client_set_state(c, SMTP_IDLE);
	enter(c);
	c->ops->on_ready(c, c->arg);
	leave(c);
}

static void
on_reply(struct smtp_client *c)
{
	switch (c->state) {
	case SMTP_GREETING:
	case SMTP_EHLO:
	case SMTP_HELO:
	case SMTP_STARTTLS:
		smtp_greeting_on_reply(c);
		break;
	case SMTP_ENVELOPE:
	case SMTP_CONTENT:
	case SMTP_FINAL:
	case SMTP_EMPTY:
	case SMTP_RSET:
		smtp_transaction_on_reply(c);
		break;
	case SMTP_IDLE: /* it says good-bye, or nonsense */
		smtp_greeting_refused(c);
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
			smtp_client_fail(c, smtp_client_stage(c), &v);
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
	smtp_greeting_on_secure(arg);
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
	over(c, smtp_client_stage(c), &v);
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
	over(c, smtp_client_stage(c), &v);
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
smtp_client_is_spent(const struct smtp_client *c)
{
	return c->limits.mail > 0 && c->mails >= c->limits.mail;
}
