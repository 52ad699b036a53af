/* tls_settings: copies of what the configuration says of TLS. See tls_settings.h. */
#include "smtpd/tls_settings.h"

#include <stdlib.h>

#include "common/wire.h"
#include "common/xalloc.h"

static char *
copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

void
tls_settings_init(struct tls_settings *s, const struct config *c, struct span client_ca)
{
	*s = (struct tls_settings){.wanted = c->tls_certificate != NULL,
	    .ciphers = copy(c->tls_ciphers),
	    .ciphersuites = copy(c->tls_ciphersuites)};
	buf_init(&s->client_ca, WIRE_PAYLOAD_MAX);
	buf_add_span(&s->client_ca, client_ca);
	s->rules = (struct tls_rules){.ask_clients = c->tls_ask_client,
	    .client_ca = buf_span(&s->client_ca),
	    .only_13 = c->tls_only_13,
	    .ciphers = s->ciphers,
	    .ciphersuites = s->ciphersuites};
}

void
tls_settings_release(struct tls_settings *s)
{
	buf_release(&s->client_ca);
	free(s->ciphers);
	free(s->ciphersuites);
	*s = (struct tls_settings){.wanted = false};
}
