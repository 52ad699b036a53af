/* settings: what smtpd uses of the configuration. See settings.h. */
#include "smtpd/settings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/decimal.h"
#include "common/xalloc.h"
#include "conf/policy.h"
#include "smtpd/future_release.h"

/* RFC 9422: what a session is held to. */
static void
add_limits(const struct settings *s, struct buf *out)
{
	buf_add_str(out, "250-LIMITS RCPTMAX=");
	decimal_add(out, s->recipient_limit);
	if (s->transaction_limit > 0) {
		buf_add_str(out, " MAILMAX=");
		decimal_add(out, s->transaction_limit);
	}
	buf_add_str(out, "\r\n");
}

/* What is always there, and what is offered. */
void
settings_format_ehlo(const struct settings *s, unsigned offers, struct buf *out)
{
	buf_add_str(out, "250-");
	buf_add_str(out, s->hostname);
	buf_add_str(out, "\r\n250-PIPELINING\r\n");
	if ((offers & OFFER_SIZE) != 0) {
		buf_add_str(out, "250-SIZE ");
		decimal_add(out, s->message_size_limit);
		buf_add_str(out, "\r\n");
	}
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
	if ((offers & OFFER_XCLIENT) != 0)
		buf_add_str(
		    out, "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n");
	if ((offers & OFFER_FUTURE_RELEASE) != 0)
		future_release_format(s->future_release, clock_wall(), out);
	if ((offers & OFFER_LIMITS) != 0)
		add_limits(s, out);
	buf_add_str(out, "250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n");
}

/* A list of its own, of what config owns. */
static struct config_netblocks
copy_networks(const struct config_netblocks *from)
{
	struct config_netblocks to = {xcalloc(from->n, sizeof *to.v), from->n};

	for (size_t i = 0; i < from->n; i++)
		to.v[i] = from->v[i];
	return to;
}

static void
copy_proxied(struct settings *s, const struct config *c)
{
	s->proxied = xcalloc(c->nlisteners, sizeof *s->proxied);
	for (size_t i = 0; i < c->nlisteners; i++)
		if (c->listeners[i].proxy)
			s->proxied[s->nproxied++] = xstrdup(c->listeners[i].address);
	s->proxy_from = copy_networks(&c->proxy_from);
	s->xclient_from = copy_networks(&c->xclient_from);
}

bool
settings_is_proxied(const struct settings *s, const char *listener)
{
	for (size_t i = 0; i < s->nproxied; i++)
		if (strcmp(s->proxied[i], listener) == 0)
			return true;
	return false;
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
	s->transaction_limit = c->transaction_limit;
	s->future_release = c->future_release / 1000;
	s->error_limit = c->error_limit;
	s->auth_failure_limit = c->auth_failure_limit;
	s->auth_without_tls = c->auth_without_tls;
	s->auth_scram = c->auth_scram;
	s->check_header_from = c->check_header_from;
	s->hop_limit = c->hop_limit;
	s->command_line_limit = c->command_line_limit;
	s->connection_limit = c->connection_limit;
	s->connection_limit_per_client = c->connection_limit_per_client;
	s->connection_limit_per_network = c->connection_limit_per_network;
	s->idle_ms = c->idle_timeout;
	s->session_ms = c->session_timeout;
	s->transaction_ms = c->transaction_timeout;
	s->minimum_rate = c->minimum_rate;
	s->greeting_delay_ms = c->greeting_delay;
	copy_proxied(s, c);
	s->dns_timeout_ms = c->dns_timeout;
	s->connect_is_open = policy_connect_is_open(c);
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
	for (size_t i = 0; i < s->nproxied; i++)
		free(s->proxied[i]);
	free(s->proxied);
	free(s->proxy_from.v);
	free(s->xclient_from.v);
	free(s);
}
