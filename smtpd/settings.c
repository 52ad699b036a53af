/* settings: what smtpd uses of the configuration. See settings.h. */
#include "smtpd/settings.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/xalloc.h"

struct settings *
settings_new(const struct config *c)
{
	struct settings *s = xcalloc(1, sizeof *s);

	s->refs = 1;
	s->hostname = xstrdup(c->hostname);
	s->greeting = xasprintf("220 %s ESMTP Postrider\r\n", c->hostname);
	s->hello = xasprintf("250 %s\r\n", c->hostname);
	s->ehlo = xasprintf("250-%s\r\n250-PIPELINING\r\n250-SIZE %" PRIu64
			    "\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n",
	    c->hostname, c->message_size_limit);
	s->message_size_limit = c->message_size_limit;
	s->recipient_limit = c->recipient_limit;
	s->error_limit = c->error_limit;
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
	free(s->ehlo);
	free(s);
}
