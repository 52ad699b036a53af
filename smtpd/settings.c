/* settings: what smtpd uses of the configuration. See settings.h. */
#include "smtpd/settings.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/xalloc.h"

/* What is always there, and what is offered. */
void
settings_format_ehlo(const struct settings *s, unsigned offers, struct buf *out)
{
	buf_addf(out, "250-%s\r\n250-PIPELINING\r\n", s->hostname);
	if ((offers & OFFER_SIZE) != 0)
		buf_addf(out, "250-SIZE %" PRIu64 "\r\n", s->message_size_limit);
	if ((offers & OFFER_8BITMIME) != 0)
		buf_add_str(out, "250-8BITMIME\r\n");
	if ((offers & OFFER_SMTPUTF8) != 0)
		buf_add_str(out, "250-SMTPUTF8\r\n");
	if ((offers & OFFER_CHUNKING) != 0)
		buf_add_str(out, "250-CHUNKING\r\n");
	if ((offers & OFFER_DSN) != 0)
		buf_add_str(out, "250-DSN\r\n");
	if ((offers & OFFER_STARTTLS) != 0)
		buf_add_str(out, "250-STARTTLS\r\n");
	if ((offers & OFFER_AUTH) != 0)
		buf_addf(out, "250-AUTH %s%sPLAIN LOGIN\r\n",
		    (offers & OFFER_SCRAM_PLUS) != 0 ? "SCRAM-SHA-256-PLUS " : "",
		    (offers & OFFER_SCRAM) != 0 ? "SCRAM-SHA-256 " : "");
	buf_add_str(out, "250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n");
}

struct settings *
settings_new(const struct config *c, unsigned offers)
{
	struct settings *s = xcalloc(1, sizeof *s);

	s->refs = 1;
	s->offers = offers;
	s->hostname = xstrdup(c->hostname);
	s->greeting = xasprintf("220 %s ESMTP Postrider\r\n", c->hostname);
	s->hello = xasprintf("250 %s\r\n", c->hostname);
	s->message_size_limit = c->message_size_limit;
	s->recipient_limit = c->recipient_limit;
	s->error_limit = c->error_limit;
	s->auth_failure_limit = c->auth_failure_limit;
	s->auth_without_tls = c->auth_without_tls;
	s->auth_scram = c->auth_scram;
	s->hop_limit = c->hop_limit;
	s->command_line_limit = c->command_line_limit;
	s->connection_limit = c->connection_limit;
	s->connection_limit_per_client = c->connection_limit_per_client;
	s->idle_ms = c->idle_timeout;
	s->session_ms = c->session_timeout;
	s->greeting_delay_ms = c->greeting_delay;
	return s;
}

struct settings *
settings_ref(struct settings *s)
{
	s->refs++;
	return s;
}

void
settings_unref(struct settings **sp)
{
	struct settings *s = *sp;

	*sp = NULL;
	if (s == NULL || --s->refs > 0)
		return;
	free(s->hostname);
	free(s->greeting);
	free(s->hello);
	free(s);
}
