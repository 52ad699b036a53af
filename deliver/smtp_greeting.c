/*
 * smtp_greeting: what is said on an SMTP connection until it is ready for mail:
 * greeting, EHLO or HELO, STARTTLS and EHLO again. A part of smtp_client.c: pairs
 * perform_X / on_X_reply.
 */
#include "deliver/smtp_client_internal.h"

#include "common/log.h"

static void perform_ehlo(struct smtp_client *);

/* A reply that ends the attempt at this host. A refusal to talk is no verdict about the mail (but RFC 7504). */
void
smtp_greeting_refused(struct smtp_client *c)
{
	struct verdict v;

	reply_verdict(&c->reply, &v);
	if (v.kind == VERDICT_OK) {
		smtp_client_protocol_error(c, "its greeting");
		return;
	}
	if (v.kind == VERDICT_PERMANENT && v.code != 521 && v.code != 556)
		verdict_set_parts(
		    &v, VERDICT_TEMPORARY, v.code, span_str(v.status), span_str(v.text));
	smtp_client_fail(c, smtp_client_stage(c), &v);
}

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
		smtp_greeting_refused(c);
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
	c->dsn = false;
	c->limits = (struct smtp_limits){0, 0};
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
		else if (span_is_nocase(keyword, "DSN"))
			c->dsn = true;
		else if (span_is_nocase(keyword, "LIMITS"))
			smtp_limits_parse(value, &c->limits);
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
		smtp_greeting_refused(c);
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
		smtp_greeting_refused(c);
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

/* --- from smtp_client.c --- */

void
smtp_greeting_on_reply(struct smtp_client *c)
{
	if (c->reply.code == 421) {
		smtp_greeting_refused(c);
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
	default:
		on_starttls_reply(c);
		break;
	}
}

void
smtp_greeting_on_secure(struct smtp_client *c)
{
	perform_ehlo(c);
}
