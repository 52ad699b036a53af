/* session_tls: how a session gets TLS. See session_tls.h. Called by the session and by STARTTLS. */
#include "smtpd/session_tls.h"

#include <string.h>

#include "common/log.h"
#include "common/log_value.h"
#include "smtpd/session_facts.h"
#include "smtpd/session_private.h"
#include "smtpd/tls_handshake.h"

bool
session_tls_is_offered(const struct session *s)
{
	return s->origin.tls == LISTENER_TLS_STARTTLS && s->tls == NULL &&
	       s->server->tls != NULL;
}

static void
log_failure(const struct session *s, const char *why)
{
	s->server->counts.refused++;
	log_info("session=%s refused=TLS rule=tls-handshake client=%s why=\"%s\"", s->id,
	    s->origin.text, LOG_QUOTED(span_str(why)));
}

static void
on_handshake(const struct tls_result *r, void *arg)
{
	struct session *s = arg;
	char text[SESSION_TLS_TEXT_SIZE];

	s->handshake = NULL;
	if (r->ssl == NULL) {
		log_failure(s, r->why);
		s->end = "TLS handshake failed";
		session_set_state(s, SESSION_DEAD);
		session_continue(s);
		return;
	}
	s->tls = r->info;
	session_open(s, r->fd, r->ssl);
	log_debug("session=%s%s", s->id, session_tls_text(s, text));
	if (s->tls->distrust != NULL)
		log_info("session=%s client certificate is not believed: %s", s->id,
		    s->tls->distrust);
	if (s->origin.tls == LISTENER_TLS_IMPLICIT)
		session_begin(s);
	else
		session_set_state(s, SESSION_COMMAND);
	session_continue(s);
}

void
session_tls_begin(struct session *s, int fd)
{
	s->handshake = tls_handshake_new(s->server->tls, fd, s->origin.role, on_handshake, s);
	session_set_state(s, SESSION_HANDSHAKE);
	session_set_timer(s);
}

void
session_tls_succeed(struct session **sp)
{
	struct session *old = *sp, *new = session_make(old->server, &old->origin);
	int fd = transport_take(&old->transport);

	/* What counts against the connection, and nothing of what was said on it. */
	settings_unref(&new->settings);
	new->settings = settings_ref(old->settings);
	memcpy(new->id, old->id, sizeof new->id);
	new->began_ms = old->began_ms;
	new->errors = old->errors;
	new->logins = old->logins;
	new->mails = old->mails;
	new->junk = old->junk;
	new->commands = old->commands;
	new->counts_commands = old->counts_commands;
	new->accepted = old->accepted;
	new->refusals = old->refusals;
	/* It stays that of the client XCLIENT named, and never becomes the proxy's own. */
	new->introduced = old->introduced;
	session_facts_move(old, new);
	session_discard(sp);
	session_tls_begin(new, fd);
}

const char *
session_tls_text(const struct session *s, char out[SESSION_TLS_TEXT_SIZE])
{
	const struct tls_info *i = s->tls;

	out[0] = '\0';
	if (i != NULL)
		snprintf(out, SESSION_TLS_TEXT_SIZE, " tls=%s cipher=%s%s sni=%s%s%s%s%s%s",
		    i->protocol, i->cipher, i->resumed ? " resumed=yes" : "", i->name,
		    i->subject != NULL ? " subject=\"" : "",
		    i->subject != NULL ? i->subject : "", i->subject != NULL ? "\"" : "",
		    i->certificate != NULL ? " client-cert=" : "",
		    i->certificate != NULL ? i->certificate : "");
	return out;
}

/* Before TLS 1.3 that would need an extension of the handshake (RFC 7627) which not everybody has. */
int
session_tls_binding(const struct session *s, char *out, size_t size)
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (s->transport.ssl == NULL || SSL_version(s->transport.ssl) < TLS1_3_VERSION)
		return -1;
	return SSL_export_keying_material(s->transport.ssl, (unsigned char *)out, size, label,
		   sizeof label - 1, (const unsigned char *)"", 0, 1) == 1
		   ? 0
		   : -1;
}
